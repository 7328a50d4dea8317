import type { Log } from '../../platform/log.ts'

export type LogLine = { level: 'debug' | 'info' | 'warn' | 'error'; message: string; fields: object }

/** A log that keeps its lines for a test to read. */
export function recordingLog(): { log: Log; lines: LogLine[] } {
  const lines: LogLine[] = []
  const make = (more: object): Log => {
    const at =
      (level: LogLine['level']) =>
      (message: string, fields: object = {}) =>
        void lines.push({ level, message, fields: { ...more, ...fields } })
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => make({ ...more, ...fields }),
    }
  }
  return { log: make({}), lines }
}
