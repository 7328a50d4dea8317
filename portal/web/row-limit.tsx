import { useState } from 'react'

// About two screens; longer tables push the next section out of reach.
const FIRST_ROWS = 50

/** The rows to draw and, where some are left out, a line that says so and shows them. */
export const useRowLimit = <T,>(rows: readonly T[]) => {
  const [all, setAll] = useState(false)
  const shown = all ? rows : rows.slice(0, FIRST_ROWS)
  const rest =
    rows.length <= FIRST_ROWS ? null : (
      <p className="row-limit">
        {`${shown.length} of ${rows.length} rows shown. `}
        <button type="button" onClick={() => setAll(!all)}>
          {all ? `Show the first ${FIRST_ROWS}` : `Show all ${rows.length}`}
        </button>
      </p>
    )
  return { shown, rest }
}
