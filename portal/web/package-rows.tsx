import { useId, useState } from 'react'
import type { PackageRow } from './answers.ts'
import { Chip } from './chip.tsx'
import { Findings } from './findings.tsx'
import { counted, words } from './names.ts'
import { decisionTone, riskText, statusTone } from './verdict-words.ts'

/** A package version and, on demand, the row of its findings below it. */
export const PackageRows = ({ row }: { row: PackageRow }) => {
  const [open, setOpen] = useState(false)
  const findingsId = useId()
  const name = `${row.name}@${row.version}`
  const count = row.violations.length
  return (
    <>
      <tr>
        <th scope="row">
          {name}
          <span className="under only-narrow">by {row.publisher}</span>
        </th>
        <td className="only-wide">{row.publisher}</td>
        <td>
          <Chip tone={statusTone(row.status)} text={words(row.status)} />
          <span className="under only-narrow">
            Risk <Risk score={row.risk_score} />
          </span>
          <span className="under only-narrow">
            <Decision decision={row.decision} />
          </span>
        </td>
        <td className="number only-wide">
          <Risk score={row.risk_score} />
        </td>
        <td className="only-wide">
          <Decision decision={row.decision} />
        </td>
        <td>
          {count === 0 ? (
            <span className="quiet-text">{row.decision === null ? <NotYet what="not analyzed yet" /> : 'none'}</span>
          ) : (
            <button
              type="button"
              className="disclose"
              aria-expanded={open}
              aria-controls={open ? findingsId : undefined}
              aria-label={`${counted(count, 'finding')} of ${name}`}
              onClick={() => setOpen(!open)}
            >
              <span aria-hidden="true">{open ? '▾' : '▸'}</span> {count}
            </button>
          )}
        </td>
      </tr>
      {open && count > 0 && (
        <tr className="findings" id={findingsId}>
          <td colSpan={6}>
            <Findings of={name} violations={row.violations} />
          </td>
        </tr>
      )}
    </>
  )
}

const Risk = ({ score }: { score: number | null }) =>
  score === null ? <NotYet what="no score yet" /> : riskText(score)

const Decision = ({ decision }: { decision: string | null }) =>
  decision === null ? <NotYet what="no verdict yet" /> : <Chip tone={decisionTone(decision)} text={words(decision)} />

const NotYet = ({ what }: { what: string }) => (
  <>
    <span aria-hidden="true">–</span>
    <span className="unseen">{what}</span>
  </>
)
