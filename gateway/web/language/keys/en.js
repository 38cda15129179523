/** English for the keys on the status page, which only admins see. Keys are shared with zh.js. */
export default {
  "keys.name": "Who is it for?",
  "keys.name.help": "Letters, digits and . _ -",
  "keys.role": "Role",
  "keys.create": "Create a key",
  "keys.revoke": "Revoke",
  "keys.revoke.label": "Revoke the key {name}",
  "keys.revoke.title": "Revoke the key “{name}”?",
  "keys.revoke.text": "Whoever uses it is refused at once. This cannot be undone; you can create another key.",
  "keys.revoked": "The key {name} was revoked.",
  "keys.made.title": "The key of {name}",
  "keys.made.text": "Copy it now and pass it on safely: it is not stored, and nobody can show it again.",
  "keys.copy": "Copy",
  "keys.copied": "Copied.",
  "keys.copy.yourself": "It is selected: copy it with the keyboard.",
};
