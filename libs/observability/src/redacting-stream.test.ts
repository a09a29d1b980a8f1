import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';

function logged(write: (log: ReturnType<typeof createLogger>) => void, secrets: string[] = []): string {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  write(createLogger({ service: 'test', destination, secrets }));
  for (const line of lines) JSON.parse(line);
  return lines.join('');
}

describe('a log', () => {
  const secret = 'p"ass\\word-ü';

  it('never holds a secret of the configuration, wherever it stands', () => {
    const text = logged(
      (log) => {
        log.error({ err: new Error(`connect redis://:${secret}@host failed`) }, `tried with ${secret}`);
        log.child({}, { redact: [] }).info({ deep: { er: [{ inside: `x${secret}x` }] } }, 'plain');
      },
      [secret],
    );
    expect(text).not.toContain(JSON.stringify(secret).slice(1, -1));
    expect(text.match(/••••/g)?.length).toBeGreaterThan(2);
  });

  it.each([
    [
      'a key',
      'key vx_0123456789abcdef_Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA',
      'vx_0123456789abcdef_••••',
      'Zm9vYmFy',
    ],
    ['a header', 'Authorization: Bearer sk-abcdefgh12345678', 'Bearer ••••', 'sk-abcdefgh'],
    ['a password', 'redis://user:hunter2222@10.0.0.1:6379/0', 'redis://user:••••@10.0.0.1:6379/0', 'hunter'],
    ['a password without a user', 'rediss://:hunter2222@redis', 'rediss://:••••@redis', 'hunter'],
    ['a secret of a webhook', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_••••', 'MfKQ'],
  ])('masks what has the form of %s', (_, message, shown, hidden) => {
    const text = logged((log) => log.child({}, { redact: [] }).warn({ err: new Error(message) }, message));
    expect(text).toContain(shown);
    expect(text).not.toContain(hidden);
  });

  it('masks by name what has no form', () => {
    const fields = {
      headers: { authorization: 'one' },
      config: { auth: { pepper: 'two' } },
      secret: 'three',
    };
    const text = logged((log) => log.info(fields, 'x'));
    expect(text).not.toMatch(/one|two|three/);
  });

  it('leaves everything else as it is', () => {
    const text = logged((log) =>
      log.info({ url: 'http://127.0.0.1:8000/a@b', id: 'qry_vx_1' }, 'mail a:b@c.d'),
    );
    expect(JSON.parse(text)).toMatchObject({ url: 'http://127.0.0.1:8000/a@b', msg: 'mail a:b@c.d' });
  });
});
