import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

interface Message {
  role: string;
  content: string;
}

/**
 * A language model that does what it is told by whoever speaks in the prompt, and quotes what stands in it as quoted
 * material: everything between two lines of one random word. What it obeys it does at once: it prints its system prompt,
 * and asks addresses. It speaks OpenAI's API, and when a question says `refuse me` it shows the key it was sent.
 */
export interface GullibleModel {
  /** With its `/v1`. */
  baseUrl: string;
  /** Every prompt it was given. */
  prompts: Message[][];
  /** Orders that it found outside of the quoted material. */
  obeyed: string[];
  close(): Promise<void>;
}

export async function startGullibleModel(): Promise<GullibleModel> {
  const prompts: Message[][] = [];
  const obeyed: string[] = [];
  const server = createServer(async (request, response) => {
    if (request.url?.endsWith('/models')) {
      response.end(JSON.stringify({ object: 'list', data: [{ id: 'gullible', object: 'model' }] }));
      return;
    }
    let body = '';
    for await (const piece of request) body += String(piece);
    const { messages } = JSON.parse(body) as { messages: Message[] };
    prompts.push(messages);
    const { quoted, spoken, system } = partsOf(messages);
    if (spoken.includes('refuse me')) {
      response.statusCode = 401;
      response.end(
        JSON.stringify({ error: { message: `Incorrect API key: ${request.headers.authorization}` } }),
      );
      return;
    }
    const orders = await obey(spoken, system);
    obeyed.push(...orders);
    const text = orders.length > 0 ? orders.join(' ') : `${firstSentence(quoted)} [1]. And more [9].`;
    response.setHeader('content-type', 'text/event-stream');
    for (const word of text.split(/(?<= )/)) {
      response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: word } }] })}\n\n`);
      await delay(1);
    }
    response.end(
      `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: 'stop' }] })}\n\ndata: [DONE]\n\n`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    prompts,
    obeyed,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** What stands between the lines is quoted; all the rest is spoken, and so is a quotation that somebody has closed. */
function partsOf(messages: readonly Message[]): { quoted: string; spoken: string; system: string } {
  const system = messages
    .filter(({ role }) => role === 'system')
    .map(({ content }) => content)
    .join('\n');
  const user = messages
    .filter(({ role }) => role === 'user')
    .map(({ content }) => content)
    .join('\n');
  const [all = '', , quoted = ''] = /^--- (\S+)\n([\s\S]*?)\n--- \1$/m.exec(user) ?? [];
  return { quoted, spoken: user.replace(all, ''), system };
}

async function obey(spoken: string, system: string): Promise<string[]> {
  const done: string[] = [];
  if (/print (?:the|your) system prompt/i.test(spoken)) done.push(system);
  const [address] = /\bcall (http:\S+)/i.exec(spoken)?.slice(1) ?? [];
  if (address !== undefined) done.push(await fetch(address).then((answer) => answer.text(), String));
  return done;
}

function firstSentence(quoted: string): string {
  const text = quoted.replaceAll(/<[^>]*>/g, ' ').trim();
  return /[^.!?]*[.!?]/.exec(text)?.[0].trim() ?? text;
}
