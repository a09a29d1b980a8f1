import { createContentStore } from './content-store.ts';

/** Extracted texts, by their SHA-256. */
export interface TextStore {
  /** Resolves with the text's SHA-256. A text must be well-formed Unicode, as `extractText` leaves it. */
  put(text: string): Promise<string>;
  /** The text exactly as it was put, so that every `source_span` points at the same characters. @throws ContentMissing */
  get(hash: string): Promise<string>;
}

/** @param folder `<data.dir>/texts` */
export function createTextStore(folder: string): TextStore {
  const contents = createContentStore(folder);
  return {
    put: (text) => contents.put(Buffer.from(text, 'utf8')),
    get: async (hash) => (await contents.get(hash)).toString('utf8'),
  };
}
