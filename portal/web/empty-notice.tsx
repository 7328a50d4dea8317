import { useState } from 'react'

type Props = { why: string; advice: string; line: string }

/** Says why there is nothing to see and which command changes that. */
export const EmptyNotice = ({ why, advice, line }: Props) => {
  const [copied, setCopied] = useState<'no' | 'yes' | 'refused'>('no')
  const copy = () => {
    // Absent outside a secure context, that is on plain HTTP other than loopback.
    const clipboard: Clipboard | undefined = navigator.clipboard
    const writing = clipboard === undefined ? Promise.reject(new Error('no clipboard')) : clipboard.writeText(line)
    writing.then(
      () => setCopied('yes'),
      () => setCopied('refused'),
    )
  }
  return (
    <div className="notice">
      <p className="notice-title">{why}</p>
      <p>{advice}</p>
      <pre>
        <code>{line}</code>
      </pre>
      <p className="hint">
        ATOM_TOKEN is an access token or API key; those of the demo organisations are in{' '}
        <code>.atom/dev/credentials.json</code>.
      </p>
      <div className="notice-foot">
        <button type="button" onClick={copy}>
          Copy command
        </button>
        <p role="status">
          {copied === 'yes' && 'Copied.'}
          {copied === 'refused' && 'The browser does not allow copying here; select the line instead.'}
        </p>
      </div>
    </div>
  )
}
