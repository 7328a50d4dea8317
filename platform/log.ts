import { pino } from 'pino'

/** A constant sentence and fields; never payloads, never secrets. */
export type Log = {
  debug(message: string, fields?: object): void
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  error(message: string, fields?: object): void
  child(fields: object): Log
}

const redact = ['token', 'authorization', 'api_key', 'private_key', '*.token', '*.authorization', '*.api_key']

/** JSON lines to `file`, or to standard error without one, so that standard output stays readable for people. */
export function openLog(options: { level: string; file?: string }): Log {
  const target = pino.destination(
    options.file ? { dest: options.file, sync: true, mkdir: true, mode: 0o600 } : { dest: 2, sync: true },
  )
  return wrap(pino({ level: options.level, base: {}, redact, timestamp: pino.stdTimeFunctions.isoTime }, target))
}

export const silentLog: Log = wrap(pino({ level: 'silent' }))

function wrap(logger: ReturnType<typeof pino>): Log {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: object = {}) =>
      logger[level](fields, message)
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(logger.child(fields)),
  }
}
