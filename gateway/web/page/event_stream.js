/** Reads server-sent events from a growing text, because EventSource cannot send a photo. */

export class EventReader {
  #read = 0;
  #onevent;

  /** The last event, {name, data}. */
  last = null;

  constructor(onevent) {
    this.#onevent = onevent;
  }

  /** Pass on the events that are complete in `text`, which begins with the text of the previous call. */
  read(text) {
    for (let end; (end = text.indexOf("\n\n", this.#read)) >= 0; this.#read = end + 2) {
      this.last = parsedEvent(text.slice(this.#read, end));
      this.#onevent(this.last.name, this.last.data);
    }
    return this.last;
  }
}

function parsedEvent(block) {
  const lines = block.split("\n");
  const values = (field) => lines.filter((line) => line.startsWith(field)).map((line) => line.slice(field.length));
  return { name: values("event: ").join(), data: JSON.parse(values("data: ").join("\n")) };
}
