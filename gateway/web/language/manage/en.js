/** English for the dialogs that rename and delete a collection. Keys are shared with zh.js. */
export default {
  "collection.rename.title": "Name and language",
  "collection.rename.text": "Photos, calibration and recent matches go along. Printed QR codes and links with the old name keep working.",
  "collection.rename.taken": "There is a collection “{name}” already. Choose another name.",
  "collection.rename.busy": "Photos are still being added under this name. Rename it when that is finished.",
  "collection.delete.title": "Delete the collection “{name}”?",
  "collection.delete.text": "Visitors find nothing of it from now on. You can restore it from the trash.",
};
