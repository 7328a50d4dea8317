export type Tone = 'good' | 'warn' | 'bad' | 'quiet'

const marks: Record<Tone, string> = { good: '✓', warn: '!', bad: '✕', quiet: '·' }

/** A word with a tone; the mark repeats the tone for those who do not see the colour. */
export const Chip = ({ tone, text }: { tone: Tone; text: string }) => (
  <span className={`chip ${tone}`}>
    <span aria-hidden="true">{marks[tone]}</span> {text}
  </span>
)
