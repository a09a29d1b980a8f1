/**
 * Reads an augmented prompt as a model would meet it: numbered passages, then a question. This is the
 * mock's own reading; it shares no code with the room that writes prompts or the one that checks marks,
 * so that the three cannot be wrong together.
 *
 * Forms understood, first match wins:
 *   1. `<passage n="1" title="…" section="A › B">text</passage>` … `Question: …`   (Vortex's own)
 *   2. lines that begin with `[1] `, `[2] ` …                                    (common in hand-made prompts)
 *   3. `Context: …` followed by `Question: …`                                    (one passage, number 1)
 */
export interface Message {
  role: string;
  content: string;
}

export interface Passage {
  number: number;
  /** Title and section path, for ranking; may be empty. */
  heading: string;
  text: string;
}

export interface Prompt {
  question: string;
  passages: Passage[];
  /** The prompt speaks of passages or context, so their absence is worth saying. */
  expectsContext: boolean;
}

// Quoted attribute values may contain `>`.
const tagged = /<passage\b((?:"[^"]*"|[^">])*)>([\s\S]*?)<\/passage>/g;
const numbered =
  /^[ \t]*\[(\d{1,4})\][ \t]+([\s\S]*?)(?=^[ \t]*\[\d{1,4}\][ \t]|^[ \t]*question\s*:|(?![\s\S]))/gim;
const contextBlock = /^[ \t]*context\s*:\s*([\s\S]+?)(?=^[ \t]*question\s*:|(?![\s\S]))/im;
const questionMark = /^[ \t]*(?:question|query)\s*:\s*/gim;
const closingLine = /\n[ \t]*(?:answer|response)\s*:\s*$/i;

export function readPrompt(messages: readonly Message[]): Prompt {
  const spoken = messages.filter((message) => message.role !== 'assistant');
  const lastUser =
    spoken.findLast((message) => message.role === 'user')?.content ?? spoken.at(-1)?.content ?? '';
  let passages: Passage[] = [];
  for (let index = spoken.length - 1; index >= 0 && passages.length === 0; index -= 1) {
    passages = passagesOf(spoken[index]?.content ?? '');
  }
  const everything = spoken.map((message) => message.content).join('\n');
  return {
    question: questionOf(lastUser),
    passages,
    expectsContext:
      passages.length > 0 || /\b(?:passages?|context|sources?)\b|^[ \t]*question\s*:/im.test(everything),
  };
}

function passagesOf(content: string): Passage[] {
  const found: Passage[] = [];
  for (const [, attributes = '', text = ''] of content.matchAll(tagged)) {
    const number = Number(attribute(attributes, 'n') ?? found.length + 1);
    const heading =
      `${attribute(attributes, 'title') ?? ''} ${attribute(attributes, 'section') ?? ''}`.trim();
    // As the prompt says of passages; what is quoted is the document's own again.
    found.push({ number, heading, text: text.replaceAll('&lt;', '<').trim() });
  }
  if (found.length > 0) return found;
  for (const [, number, text = ''] of content.matchAll(numbered)) {
    found.push({ number: Number(number), heading: '', text: text.trim() });
  }
  if (found.length > 0) return found;
  const context = contextBlock.exec(content)?.[1]?.trim();
  return context === undefined || context === '' ? [] : [{ number: 1, heading: '', text: context }];
}

function attribute(attributes: string, name: string): string | undefined {
  return new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1];
}

function questionOf(content: string): string {
  const marks = [...content.matchAll(questionMark)];
  const last = marks.at(-1);
  const asked =
    last === undefined ? content.replace(tagged, ' ') : content.slice(last.index + last[0].length);
  return asked.replace(closingLine, '').trim();
}
