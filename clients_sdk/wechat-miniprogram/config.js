module.exports = {
  server: 'https://guide.example.org',
  collection: 'default',
  // 服务器要求密钥时填写，权限须为 match
  key: '',
};
