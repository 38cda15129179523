const { match, giveFeedback } = require('../../api');

Page({
  data: { photo: '', busy: false, answer: null, message: '' },

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
      this.setData({ answer: await match(photo) });
    } catch (error) {
      this.setData({ message: error.message });
    } finally {
      this.setData({ busy: false });
    }
  },

  async say(event) {
    try {
      await giveFeedback(this.data.answer.request_id, event.currentTarget.dataset.verdict);
      this.setData({ message: '谢谢反馈' });
    } catch (error) {
      this.setData({ message: error.message });
    }
  },
});
