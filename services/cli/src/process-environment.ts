import { environmentRead, type ServiceName } from '@vortex/config';

type Environment = Readonly<Record<string, string>>;

const plainNames = new Set(['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR']);

/** What any program needs to run: no configuration and no secret of ours. */
export function plainEnvironment(environment: Environment): Record<string, string> {
  return only(environment, (name) => plainNames.has(name));
}

/** What Node and its way to the network go by, beside that. */
export function nodeEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  return only(environment, (name) => plainNames.has(name) || ofRuntime.test(name));
}

/**
 * What a service of ours gets of the launcher's environment: the settings it reads (libs/config/src/services.ts) beside
 * what Node does. Whoever takes it over finds its own secrets and no other's.
 */
export function serviceEnvironment(service: ServiceName, environment: Environment): Record<string, string> {
  return { ...nodeEnvironment(environment), ...environmentRead(service, environment) };
}

/** Proxies, certificates and locales go under these names everywhere. */
const ofRuntime = /^(?:NODE_|LC_|SSL_CERT_|LD_LIBRARY_PATH$|(?:https?|no)_proxy$|(?:HTTPS?|NO)_PROXY$)/;

function only(environment: NodeJS.ProcessEnv, isKept: (name: string) => boolean): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && isKept(name)) kept[name] = value;
  return kept;
}
