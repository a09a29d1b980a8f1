import { StageFailure } from '@vortex/contracts';

/** The registry's database cannot be reached, or gave up this time. Trying again makes sense. */
export class RegistryUnavailable extends StageFailure {
  constructor(cause: unknown) {
    const reason =
      cause instanceof Error && cause.message !== '' ? cause.message : String(codeOf(cause) ?? cause);
    super('internal', `the registry's database did not answer: ${reason}`, { mayRetry: true, cause });
    this.name = 'RegistryUnavailable';
  }
}

/** Errors of the database that pass, told apart from its other ones and from those of the rules. */
export async function asked<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw isPassing(error) ? new RegistryUnavailable(error) : error;
  }
}

/** Connection, resources, operator, system, transaction rolled back (PostgreSQL, appendix A). */
const passingClasses: ReadonlySet<string> = new Set(['08', '53', '57', '58', '40']);

/** Errors without a SQLSTATE never came from the server's mouth: socket, time-out, a pool that is full. */
function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  return typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code) || passingClasses.has(code.slice(0, 2));
}

/** Two transactions in each other's way; this one was taken back and may be tried at once. */
export function isRolledBackToOrder(error: unknown): boolean {
  const code = codeOf(error instanceof RegistryUnavailable ? error.cause : error);
  return code === '40001' || code === '40P01';
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
