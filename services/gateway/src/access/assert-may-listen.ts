import { mayListen } from '@vortex/config';

/** A start that was not made, with what to do about it; no error of the program. */
export class StartRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StartRefused';
  }
}

/** @throws StartRefused */
export function assertMayListen(auth: Parameters<typeof mayListen>[0]): void {
  if (mayListen(auth)) return;
  throw new StartRefused(
    `The gateway is to listen on ${auth.host}, which others may reach, and there is no key yet: it would let everybody in. ` +
      'Make one first: ./vortex keys create --scopes query,ingest,admin (with the same data folder, or the same ' +
      'DATABASE_URL and auth.pepper). Or listen on 127.0.0.1; or say that it is meant: auth.mode: open ' +
      '(VORTEX__AUTH__MODE=open).',
  );
}
