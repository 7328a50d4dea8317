import type { Violation } from './answers.ts'
import { Chip } from './chip.tsx'
import { gravestFirst, severityTone } from './verdict-words.ts'

/** Each finding with the rule that made it and the place in the package it points at. */
export const Findings = ({ of, violations }: { of: string; violations: readonly Violation[] }) => (
  <ul aria-label={`Findings of ${of}`}>
    {gravestFirst(violations).map((violation) => (
      <li key={`${violation.rule_id} ${violation.pointer} ${violation.message}`}>
        <p className="finding-head">
          <Chip tone={severityTone(violation.severity)} text={violation.severity} />
          <code>{violation.rule_id}</code>
          <span>
            {'at '}
            {violation.pointer === '' ? 'the whole document' : <code>{violation.pointer}</code>}
          </span>
        </p>
        <p>{violation.message}</p>
      </li>
    ))}
  </ul>
)
