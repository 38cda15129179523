const { match, giveFeedback, placeOf } = require('../../api');

Page({
  data: { photo: '', busy: false, answer: null, place: null, message: '' },

  async choose() {
    let chosen;
    try {
      chosen = await wx.chooseMedia({ count: 1, mediaType: ['image'], sizeType: ['compressed'] });
    } catch (error) {
      return; // 取消选择
    }
    const photo = chosen.tempFiles[0].tempFilePath;
    this.setData({ photo, busy: true, answer: null, message: '' });
    try {
      const answer = await match(photo);
      this.setData({ answer, place: placeOf(answer) });
    } catch (error) {
      this.setData({ message: error.message });
    } finally {
      this.setData({ busy: false });
    }
  },

  async confirm() {
    const { answer, place } = this.data;
    if (answer.answer === 'maybe') await this.say('other_place', place.id); // 确认“可能是”的展品
    else await this.say('right');
  },

  async object() {
    await this.say('wrong');
  },

  async say(verdict, placeId) {
    try {
      await giveFeedback(this.data.answer.request_id, verdict, placeId);
      this.setData({ message: '谢谢反馈' });
    } catch (error) {
      this.setData({ message: error.message });
    }
  },
});
