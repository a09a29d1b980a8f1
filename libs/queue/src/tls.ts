import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

/** The section `redis` of the configuration, as far as it is about `rediss://`; paths of PEM files. */
export interface TlsFiles {
  /** Who signed the server's certificate, where the system does not know. */
  tls_ca_file?: string | null;
  /** Of ours, for a server that asks for one (`tls-auth-clients`). */
  tls_cert_file?: string | null;
  tls_key_file?: string | null;
  /** The name on the server's certificate, where the address is not it. */
  tls_servername?: string | null;
}

/**
 * Undefined for `redis://`, which is never turned into TLS unasked. A server that can not be verified is not spoken to;
 * there is no setting against that.
 * @throws Error when a file cannot be read
 */
export function tlsOptions(url: string, files: TlsFiles): ConnectionOptions | undefined {
  if (!url.startsWith('rediss://')) return undefined;
  const { tls_ca_file: ca, tls_cert_file: cert, tls_key_file: key, tls_servername: servername } = files;
  return {
    ...(ca && { ca: readFileSync(ca, 'utf8') }),
    ...(cert && { cert: readFileSync(cert, 'utf8') }),
    ...(key && { key: readFileSync(key, 'utf8') }),
    // Node sends no name and checks the address without one: of an IP address it checks the certificate's addresses.
    ...(servername && { servername }),
  };
}
