import type { PackageRow } from './answers.ts'
import { PackageRows } from './package-rows.tsx'
import { useRowLimit } from './row-limit.tsx'
import { ScrollBox } from './scroll-box.tsx'

/** One row per package version, in the order of the service. */
export const PackagesTable = ({ packages }: { packages: readonly PackageRow[] }) => {
  const { shown, rest } = useRowLimit(packages)
  return (
    <>
      <ScrollBox label="Packages and verdicts">
        {() => (
          <table>
            <caption>Package versions. A risk score runs from 0 (none) to 1 (highest).</caption>
            <thead>
              <tr>
                <th scope="col">Package</th>
                <th scope="col" className="only-wide">
                  Publisher
                </th>
                <th scope="col">Status</th>
                <th scope="col" className="number only-wide">
                  Risk
                </th>
                <th scope="col" className="only-wide">
                  Decision
                </th>
                <th scope="col">Findings</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((row) => (
                <PackageRows key={row.id} row={row} />
              ))}
            </tbody>
          </table>
        )}
      </ScrollBox>
      {rest}
    </>
  )
}
