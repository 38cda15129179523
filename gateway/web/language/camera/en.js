/** English for the viewfinder, the tips and the choice of a part, fetched when they open. Keys are shared with zh.js. */
export default {
  "camera.picture": "What the camera sees",
  "camera.aim": "Fit the whole exhibit into the frame.",
  "camera.take": "Take the photo",
  "camera.refused": "This page cannot use the camera. Your device's own camera app works as well.",
  "camera.system": "Open the camera app",

  "tips.whole": "From the front, the whole exhibit in the picture, as large as possible.",
  "tips.sharp": "Hold still until the picture is sharp.",
  "tips.glass": "If the glass reflects, take a step to the side. Switch off the flash.",
  "tips.several": "If several exhibits are in the picture, you can choose one of them after the photo.",

  "crop.title": "Which part do you mean?",
  "crop.text": "Tap it, or draw a frame around it.",
  "crop.frame": "Frame. Arrow keys move it, plus and minus change its size.",
  "crop.size": "{width} % wide, {height} % high",
  "crop.smaller": "Smaller",
  "crop.larger": "Larger",
  "crop.match": "Recognise this part",
};
