import type { Problem } from './problem.ts'

type Props = { subject: string; problem: Problem; hasOldFigures: boolean; busy: boolean; onRetry: () => void }

/** Why a section could not be refreshed. */
export const ProblemNotice = ({ subject, problem, hasOldFigures, busy, onRetry }: Props) => (
  <div className="notice bad">
    {/* The request id is new with each attempt; inside the alert it would be read out every few seconds. */}
    <div role="alert">
      <p className="notice-title">
        {subject}: {problem.title}
      </p>
      <p>
        {problem.detail}
        {hasOldFigures && ' The figures below are from the last answer that arrived.'}
      </p>
    </div>
    <div className="notice-foot">
      {problem.request_id !== null && (
        <p>
          Request id <code>{problem.request_id}</code>
        </p>
      )}
      <button type="button" onClick={onRetry} aria-label={`Retry: ${subject}`} aria-disabled={busy}>
        Retry
      </button>
    </div>
  </div>
)
