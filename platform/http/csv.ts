const NUMBER = /^-?\d+(\.\d+)?$/

/** One line of CSV (RFC 4180), with its line end. */
export const csvRow = (cells: readonly string[]): string => `${cells.map(csvCell).join(',')}\r\n`

/**
 * A cell that a spreadsheet would take for a formula begins with an apostrophe, which makes it text there. A plain
 * negative number is no formula.
 */
export function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
