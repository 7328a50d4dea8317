import type { RevenueMonth } from './answers.ts'
import { addDecimals, groupDigits } from './decimal.ts'
import { longMonth } from './names.ts'
import { revenueParts } from './revenue-parts.ts'
import { ScrollBox } from './scroll-box.tsx'

/** The figures of the chart, newest month first, with their sum. */
export const RevenueTable = ({ months, currency }: { months: readonly RevenueMonth[]; currency: string | null }) => (
  <ScrollBox label="Revenue by month">
    {() => (
      <table className="revenue">
        <caption>Revenue by month{currency === null ? '' : `, amounts in ${currency}`}</caption>
        <thead>
          <tr>
            <th scope="col">Month</th>
            {revenueParts.map((part) => (
              <th key={part.key} scope="col" className="number">
                {part.name}
              </th>
            ))}
            <th scope="col" className="number">
              Gross
            </th>
            <th scope="col" className="number">
              Invoices
            </th>
          </tr>
        </thead>
        <tbody>
          {months.toReversed().map((month) => (
            <tr key={month.month}>
              <th scope="row" className="month">
                {longMonth(month.month)}
              </th>
              {revenueParts.map((part) => (
                <td key={part.key} className="number">
                  {groupDigits(month[part.key])}
                </td>
              ))}
              <td className="number">{groupDigits(month.gross)}</td>
              <td className="number">{month.invoices}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">Total</th>
            {revenueParts.map((part) => (
              <td key={part.key} className="number">
                {groupDigits(addDecimals(months.map((month) => month[part.key])))}
              </td>
            ))}
            <td className="number">{groupDigits(addDecimals(months.map((month) => month.gross)))}</td>
            <td className="number">{months.reduce((sum, month) => sum + month.invoices, 0)}</td>
          </tr>
        </tfoot>
      </table>
    )}
  </ScrollBox>
)
