// 识别和反馈。失败时，Promise 以带有中文说明的 Error 结束。
const { server, collection, key } = require('./config');

const HEADER = key ? { Authorization: `Bearer ${key}` } : {};

// 按错误码说明；其他错误码见 docs/api.zh-CN.md
const SENTENCES = {
  unsupported_format: '不支持这种图片格式，请换一张照片',
  invalid_image: '无法读取这张照片，请重新拍摄',
  image_too_large: '照片太大，请换一张较小的照片',
  unknown_collection: '图库不存在，请联系馆方',
  empty_gallery: '图库中还没有照片，请联系馆方',
  unauthorized: '小程序没有访问权限，请联系馆方',
  rate_limited: '请求过于频繁，请稍后再试',
  overloaded: '现在人较多，请稍后再试',
};

function settle(statusCode, reply, resolve, reject) {
  if (statusCode >= 200 && statusCode < 300) {
    resolve(reply);
  } else {
    const code = reply && reply.error && reply.error.code;
    reject(new Error(SENTENCES[code] || '识别服务暂时不可用，请稍后再试'));
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    return null; // 例如代理服务器返回的网页
  }
}

const unreachable = (reject) => () => reject(new Error('无法连接服务器，请检查网络后重试'));

/** 识别一张照片，返回 POST /match 的回答。 */
function match(filePath) {
  return new Promise((resolve, reject) => {
    wx.uploadFile({
      url: `${server}/v1/match`,
      filePath,
      name: 'file',
      formData: { collection, language: 'zh' },
      header: { ...HEADER, 'Accept-Language': 'zh-CN' }, // 展品文本的语言
      timeout: 60000,
      success: ({ statusCode, data }) => settle(statusCode, parse(data), resolve, reject),
      fail: unreachable(reject),
    });
  });
}

/** 回答的展品：确定的，或“可能是”的第一个候选；没有则为 null。名称和说明见其 shown。 */
function placeOf(answer) {
  return answer.answer === 'maybe' ? answer.candidates[0].place : answer.place;
}

/** 反馈一次回答是否正确：verdict 为 right、wrong、not_in_collection，或 other_place（由 placeId 说明是哪一件）。 */
function giveFeedback(requestId, verdict, placeId = null) {
  return new Promise((resolve, reject) => {
    wx.request({
      url: `${server}/v1/feedback`,
      method: 'POST',
      header: HEADER,
      data: { request_id: requestId, verdict, place_id: placeId },
      success: ({ statusCode, data }) => settle(statusCode, data, resolve, reject),
      fail: unreachable(reject),
    });
  });
}

module.exports = { match, placeOf, giveFeedback };
