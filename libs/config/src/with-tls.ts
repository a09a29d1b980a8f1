import { readFileSync } from 'node:fs';

/** The sections `redis` and `cache`, as far as they are about the connection; paths of PEM files. */
export interface RedisSection {
  url: string | null;
  /** Who signed the server's certificate, where the system does not know. */
  tls_ca_file: string | null;
  /** Of ours, for a server that asks for one (`tls-auth-clients`). */
  tls_cert_file: string | null;
  tls_key_file: string | null;
  /** The name on the server's certificate, where the address is not it. */
  tls_servername: string | null;
}

/** As `node:tls` takes them: PEM texts, and a name. */
export interface RedisTls {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
}

/**
 * The section with what its files hold, for the rooms that connect. No `tls` for `redis://`, which is never turned into TLS
 * unasked. A server that can not be verified is not spoken to; there is no setting against that.
 * @throws Error naming the setting whose file cannot be read
 */
export function withTls<Section extends RedisSection>(section: Section): Section & { tls?: RedisTls } {
  if (section.url?.startsWith('rediss://') !== true) return section;
  const { tls_ca_file, tls_cert_file, tls_key_file, tls_servername: servername } = section;
  return {
    ...section,
    tls: {
      ...(tls_ca_file !== null && { ca: readPem('tls_ca_file', tls_ca_file) }),
      ...(tls_cert_file !== null && { cert: readPem('tls_cert_file', tls_cert_file) }),
      ...(tls_key_file !== null && { key: readPem('tls_key_file', tls_key_file) }),
      // Node sends no name and checks the address without one: of an IP address it checks the certificate's addresses.
      ...(servername !== null && { servername }),
    },
  };
}

function readPem(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(
      `${setting}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`,
    );
  }
}
