import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:https';
import type { Logger } from '@vortex/observability';
import { StartRefused } from '../access/assert-may-listen.ts';

export interface TlsFiles {
  /** PEM, the certificate first and what leads to its root behind it. */
  certFile: string;
  keyFile: string;
}

/** @throws StartRefused when only one of the two is named; null: HTTP without TLS. */
export function tlsFilesOf(settings: {
  tls_cert_file: string | null;
  tls_key_file: string | null;
}): TlsFiles | null {
  const { tls_cert_file: certFile, tls_key_file: keyFile } = settings;
  if (certFile === null && keyFile === null) return null;
  if (certFile === null || keyFile === null) {
    throw new StartRefused(
      'gateway.tls_cert_file and gateway.tls_key_file go together: one of them is not set',
    );
  }
  return { certFile, keyFile };
}

/** @throws Error naming the setting whose file cannot be read */
export function readTls({ certFile, keyFile }: TlsFiles): { cert: Buffer; key: Buffer } {
  return { cert: readPem('gateway.tls_cert_file', certFile), key: readPem('gateway.tls_key_file', keyFile) };
}

function readPem(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(
      `${setting}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
    );
  }
}

/**
 * Certificates live for weeks: one that was renewed in place is taken within a minute, by new connections. A pair that
 * does not fit together yet, because only one file has been written, is left for the next look.
 */
export function followTls(
  server: Pick<Server, 'setSecureContext'>,
  files: TlsFiles,
  log: Pick<Logger, 'info' | 'warn'>,
  everyMs = 60_000,
): () => void {
  let known = editionOf(files);
  const timer = setInterval(() => {
    const edition = editionOf(files);
    if (edition === known || edition === null) return;
    try {
      server.setSecureContext(readTls(files));
      known = edition;
      log.info('the renewed TLS certificate is taken');
    } catch (error) {
      log.warn({ err: error }, 'the TLS files have changed and cannot be taken; the old certificate stays');
    }
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

function editionOf({ certFile, keyFile }: TlsFiles): string | null {
  try {
    return [certFile, keyFile].map((file) => statSync(file).mtimeMs).join(' ');
  } catch {
    // One of them is being replaced; the next look sees both.
    return null;
  }
}
