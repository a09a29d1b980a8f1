import {
  type Citation,
  citation,
  type Problem,
  problem,
  type QueryResponse,
  queryResponse,
  type Source,
  source,
} from '@vortex/contracts';
import { EventSourceParserStream } from 'eventsource-parser/stream';

/** What a streamed query says, in this order; exactly one `done` or `error` is the last. */
export type QueryEvent =
  | { kind: 'start'; id: string }
  | { kind: 'sources'; sources: Source[] }
  | { kind: 'delta'; text: string }
  | { kind: 'citation'; citation: Citation }
  | { kind: 'done'; response: QueryResponse }
  | { kind: 'error'; problem: Problem };

/** Events of a later gateway that this client does not know are passed over. */
export async function* readQueryEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<QueryEvent> {
  const decoder = new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>;
  for await (const message of body.pipeThrough(decoder).pipeThrough(new EventSourceParserStream())) {
    const event = parseEvent(message.event, message.data);
    if (event !== null) yield event;
  }
}

function parseEvent(name: string | undefined, data: string): QueryEvent | null {
  switch (name) {
    case 'start':
      return { kind: 'start', id: String(field(data, 'id')) };
    case 'sources':
      return { kind: 'sources', sources: source.array().parse(field(data, 'sources')) };
    case 'delta':
      return { kind: 'delta', text: String(field(data, 'text')) };
    case 'citation':
      return { kind: 'citation', citation: citation.parse(JSON.parse(data)) };
    case 'done':
      return { kind: 'done', response: queryResponse.parse(JSON.parse(data)) };
    case 'error':
      return { kind: 'error', problem: problem.parse(JSON.parse(data)) };
    default:
      return null;
  }
}

function field(data: string, name: string): unknown {
  return (JSON.parse(data) as Record<string, unknown>)[name];
}
