import { useMemo } from 'react'
import type { UsageRow } from './answers.ts'
import { Chip } from './chip.tsx'
import { groupDigits, trimZeros } from './decimal.ts'
import { useRowLimit } from './row-limit.tsx'
import { ScrollBox } from './scroll-box.tsx'
import { groupByTenant, type UsageLine, usageLines } from './usage-lines.ts'

/** One body of rows per tenant, each quantity with a bar against the largest of its meter. */
export const UsageTable = ({ rows }: { rows: readonly UsageRow[] }) => {
  const lines = useMemo(() => usageLines(rows), [rows])
  const { shown, rest } = useRowLimit(lines)
  const unpriced = rows.filter((row) => row.amount === null).length
  return (
    <>
      {unpriced > 0 && (
        <p className="summary">
          Unpriced rows: {unpriced}. No price applies to their meter, so they are on no invoice.
        </p>
      )}
      <ScrollBox label="Usage by tenant">
        {() => (
          <table className="usage">
            <caption>Usage by tenant. A bar compares a quantity with the largest of the same meter.</caption>
            <thead>
              <tr>
                <th scope="col">Meter</th>
                <th scope="col" className="only-wide">
                  Month
                </th>
                <th scope="col" className="number">
                  Quantity
                  <span className="only-narrow">Amount</span>
                </th>
                <th scope="col" className="number only-wide">
                  Amount
                </th>
              </tr>
            </thead>
            {groupByTenant(shown).map(({ tenant, lines: of }) => (
              <tbody key={tenant}>
                <tr className="group">
                  <th scope="rowgroup" colSpan={4}>
                    {tenant}
                  </th>
                </tr>
                {of.map((line) => (
                  <UsageLineRow key={line.key} line={line} />
                ))}
              </tbody>
            ))}
          </table>
        )}
      </ScrollBox>
      {rest}
    </>
  )
}

const UsageLineRow = ({ line }: { line: UsageLine }) => (
  <tr>
    <th scope="row">
      {line.meter}
      {line.package !== null && <span className="under">{line.package}</span>}
      <span className="under only-narrow">{line.period}</span>
    </th>
    <td className="month only-wide">{line.period}</td>
    <td className="number">
      {groupDigits(trimZeros(line.quantity))}
      <svg className="bar" width="100%" height="6" aria-hidden="true">
        <rect className="bar-track" width="100%" height="6" rx="3" />
        <rect className="bar-fill" width={`${line.share * 100}%`} height="6" rx="3" />
      </svg>
      <span className="only-narrow">
        <Amount line={line} />
      </span>
    </td>
    <td className="number only-wide">
      <Amount line={line} />
    </td>
  </tr>
)

const Amount = ({ line }: { line: UsageLine }) =>
  line.amount === null ? (
    <Chip tone="warn" text="unpriced" />
  ) : (
    <>
      {groupDigits(line.amount)}
      {line.currency !== null && <span className="unit"> {line.currency}</span>}
    </>
  )
