/** Server-sent events read out of a text that grows, because EventSource cannot send a photo. */

export class EventReader {
  #read = 0;
  #onevent;

  /** The event read last, {name, data}. */
  last = null;

  constructor(onevent) {
    this.#onevent = onevent;
  }

  /** Hand on what has become complete in `text`, which begins with all texts given before. */
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
