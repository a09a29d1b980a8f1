/**
 * What HEALTHCHECK runs inside a container: asks the service of this container for `/healthz` (the process
 * lives), or for the path it is given (`/readyz`: it does its work). No import: Docker starts it every few
 * seconds, and a bare Node answers in 40 ms.
 *
 * Exit codes are HEALTHCHECK's: 0 healthy, 1 not.
 */
const path = process.argv[2] ?? '/healthz';
const host = process.env.VORTEX__HTTP__HOST ?? '127.0.0.1';
const port = process.env.VORTEX__HTTP__PORT ?? process.env.PORT ?? '9100';
const address = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}${path}`;
const patienceMs = 2500;

try {
  const response = await fetch(address, { signal: AbortSignal.timeout(patienceMs) });
  if (!response.ok) fail(`${response.status} ${await response.text()}`);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

function fail(reason: string): void {
  console.error(`${address}: ${reason.slice(0, 500)}`);
  process.exitCode = 1;
}

export {};
