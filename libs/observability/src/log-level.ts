import type { Logger } from './logger.ts';

/**
 * `kill -USR2` makes a running process tell everything (`debug`), and once more as much as it was configured to: no
 * restart, which would end what one wants to look into. Loggers made by `child` before keep the level they had; who
 * keeps one for long compares it with its parent's.
 */
export function followLevelSignal(log: Logger): void {
  const configured = log.level;
  process.on('SIGUSR2', () => {
    log.level = log.level === 'debug' ? configured : 'debug';
    // Not `level`: that is the line's own.
    log.info({ log_level: log.level }, 'the log level was changed');
  });
}
