import { connect } from 'node:net';
import type { HostileRequest } from './hostile-requests.ts';

export interface Heard {
  /** Of each answer, in their order. */
  statuses: number[];
  /** Text of the first answer's body. */
  body: string;
  contentType: string | null;
}

/** Writes it, hears until the gateway closes or has been silent for `patienceMs`, and hangs up. Never rejects. */
export function sendHostile(
  gateway: { host: string; port: number },
  hostile: HostileRequest,
  patienceMs = 2000,
): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = connect(gateway.port, gateway.host);
    let received = '';
    // A gateway that closes while we write is what half of them ask for.
    socket.on('error', () => undefined);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
    });
    socket.setTimeout(patienceMs, () => socket.destroy());
    socket.once('close', () => resolve(heardIn(received)));
    socket.write(hostile.bytes());
  });
}

/** What is wrong with the answer; null when it is one of those it may be. */
export function complaintAbout(hostile: HostileRequest, heard: Heard): string | null {
  const [status] = heard.statuses;
  const found = JSON.stringify({
    ...heard,
    statuses: heard.statuses.slice(0, 3),
    body: heard.body.slice(0, 300),
  });
  if (status === undefined) return hostile.closed === true ? null : `${hostile.name}: no answer`;
  if (!hostile.statuses.includes(status)) return `${hostile.name}: ${found}`;
  if (hostile.answers !== undefined && heard.statuses.length !== hostile.answers) {
    return `${hostile.name}: ${heard.statuses.length} answers and not ${hostile.answers}`;
  }
  if (status < 400) return null;
  if (heard.contentType !== 'application/problem+json')
    return `${hostile.name}: no problem document: ${found}`;
  return /\n\s+at |node:internal|\/src\//.test(heard.body)
    ? `${hostile.name}: shows its inside: ${found}`
    : null;
}

function heardIn(received: string): Heard {
  const statuses = [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  const first = /^HTTP\/1\.1 [\s\S]*?\r\n\r\n/.exec(received)?.[0] ?? '';
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(first)?.[1] ?? received.length);
  return {
    statuses,
    body: received.slice(first.length, first.length + length),
    contentType: /\r\ncontent-type: ([^\r;]+)/i.exec(first)?.[1] ?? null,
  };
}
