/** A setting: where it comes from, what it means, what it is when absent. */
export type Setting<T> = {
  env: string
  description: string
  default: string
  secret: boolean
  parse: (text: string) => T
}
export type Settings<D extends Record<string, Setting<unknown>>> = {
  [K in keyof D]: D[K] extends Setting<infer T> ? T : never
}

const make =
  <T>(parse: (text: string) => T) =>
  (env: string, fallback: string, description: string, more: { secret?: boolean } = {}): Setting<T> => ({
    env,
    description,
    default: fallback,
    secret: more.secret ?? false,
    parse,
  })

function wholeNumber(low: number, high: number) {
  return (text: string): number => {
    if (!/^\d{1,10}$/.test(text) || Number(text) < low || Number(text) > high)
      throw new Error(`must be a whole number from ${low} to ${high}`)
    return Number(text)
  }
}

export const textSetting = make<string>((text) => text)
export const optionalSetting = make<string | undefined>((text) => (text === '' ? undefined : text))
/** `host:port`, several separated by commas; undefined when empty. */
export const addressesSetting = make<string[] | undefined>((text) => {
  if (text === '') return undefined
  const addresses = text.split(',').map((one) => one.trim())
  for (const one of addresses)
    if (!/^[^\s:]+:\d{1,5}$/.test(one)) throw new Error('must be host:port, several separated by commas')
  return addresses
})
/** Several separated by commas; undefined when empty. */
export const listSetting = make<string[] | undefined>((text) => {
  if (text === '') return undefined
  const all = text.split(',').map((one) => one.trim())
  if (all.includes('')) throw new Error('has an empty place between its commas')
  return all
})
/** Port 0 asks the system for a free one. */
export const portSetting = make<number>(wholeNumber(0, 65_535))
export const countSetting = make<number>(wholeNumber(0, 2_000_000_000))
/** One of a few words. */
export const choiceSetting = (words: readonly string[]) =>
  make<string>((text) => {
    if (!words.includes(text)) throw new Error(`must be one of ${words.join(', ')}`)
    return text
  })
export const percentSetting = make<string>((text) => {
  if (!/^(100(\.0+)?|\d{1,2}(\.\d{1,6})?)$/.test(text)) throw new Error('must be a percentage from 0 to 100')
  return text
})

export class SettingsInvalid extends Error {}

/**
 * Reads all settings at once. Throws `SettingsInvalid` that names every problem together.
 */
export function readSettings<D extends Record<string, Setting<unknown>>>(
  definitions: D,
  env: Record<string, string | undefined>,
): Settings<D> {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [key, setting] of Object.entries(definitions)) {
    const text = env[setting.env] || setting.default
    try {
      values[key] = setting.parse(text)
    } catch (error) {
      problems.push(`${setting.env} ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (problems.length > 0) throw new SettingsInvalid(`settings: ${problems.join('; ')}`)
  return values as Settings<D>
}

/** Names in `env` that look like settings of ours and are none: a misspelt setting should not be ignored in silence. */
export function unknownSettings(
  definitions: Record<string, Setting<unknown>>,
  env: Record<string, string | undefined>,
  alsoKnown: readonly string[],
): string[] {
  const known = new Set([...Object.values(definitions).map((setting) => setting.env), ...alsoKnown])
  return Object.keys(env).filter((name) => name.startsWith('ATOM_') && !known.has(name))
}

/** The text of an env file with every setting, its meaning and its default. */
export function envExample(definitions: Record<string, Setting<unknown>>): string {
  const blocks = Object.values(definitions).map(
    (setting) => `# ${setting.description}\n${setting.default === '' ? '# ' : ''}${setting.env}=${setting.default}\n`,
  )
  return `# Every setting with its default. Made by \`npm run docs\`; do not edit by hand.\n\n${blocks.join('\n')}`
}
