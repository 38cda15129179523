/** English for the museum's name, colour and notes. Keys are shared with zh.js. */
export default {
  "branding.about": "Visitors see this on their pages, in place of the product's own name and colours.",
  "branding.title": "Name of the museum",
  "branding.logo": "Logo",
  "branding.logo.choose": "Choose a picture",
  "branding.logo.remove": "Remove the logo",
  "branding.colour": "Colour",
  "branding.colour.own": "A colour of your own",
  "branding.colour.help": "It is made darker or lighter where it could not be read.",
  "branding.privacy_note": "Privacy note",
  "branding.privacy_url": "Address of the privacy policy",
  "branding.footer": "Last line, such as an ICP number",
  "branding.footer_url": "Where the last line leads",
  "branding.see": "See it as a visitor",
};
