/** A limit's bar: what is used of it, and when that starts anew. */
import { useEffect, useRef } from "react";
import { useNow } from "../clock";
import { count, limitText, nameText, percent, periodText, sourceText, spanText } from "../format";
import { Badge } from "./basics";

export interface MeterLimit {
	limitType: string;
	usageType: string;
	kind: string;
	period: string | null;
	current: number;
	limit: number;
	remaining: number | null;
	percentUsed: number | null;
	resetAt: string | null;
	source: string;
	description: string | null;
	unit: string | null;
}

/** How long it counts, in words. */
function limitPeriod({ kind, period }: MeterLimit): string {
	if (kind === "gauge") return "at any time";
	return kind === "concurrency" ? "at once" : periodText(period);
}

function tone(limit: MeterLimit): "full" | "high" | "normal" {
	if (limit.limit === -1) return "normal";
	if (limit.current >= limit.limit) return "full";
	return (limit.percentUsed ?? 0) >= 80 ? "high" : "normal";
}

/** onReset is called when the window has ended, once for each. */
export function LimitMeter({
	limit,
	onReset,
	showSource,
}: {
	limit: MeterLimit;
	onReset?: () => void;
	showSource?: boolean;
}) {
	const title = limit.description ?? nameText(limit.limitType);
	const look = tone(limit);
	const share =
		limit.limit === -1 ? 0 : limit.limit === 0 ? 100 : Math.min(100, (limit.current / limit.limit) * 100);
	const used = `${count(limit.current)} of ${limitText(limit.limit)}`;
	return (
		<div className={`meter meter-${look}`} data-limit={limit.limitType}>
			<div className="meter-head">
				<span className="meter-title">{title}</span>
				<span className="meter-value">
					<strong>{count(limit.current)}</strong>
					<span className="soft"> / {limit.limit === -1 ? "∞" : count(limit.limit)}</span>
					{limit.unit && <span className="soft"> {limit.unit}</span>}
				</span>
			</div>
			{limit.limit !== -1 && (
				<div
					className="meter-track"
					role="progressbar"
					aria-label={title}
					aria-valuemin={0}
					aria-valuemax={limit.limit}
					aria-valuenow={Math.min(limit.current, limit.limit)}
					aria-valuetext={used}
				>
					<span style={{ width: `${share}%` }} />
				</div>
			)}
			<div className="meter-foot">
				<span>
					{showSource && (
						<>
							<code>{limit.limitType}</code> ·{" "}
						</>
					)}
					{limitPeriod(limit)}
				</span>
				<span className="row">
					{look === "full" && (
						<Badge tone="bad">{limit.current > limit.limit ? "Over the limit" : "Used up"}</Badge>
					)}
					{look === "high" && <Badge tone="warn">{percent(limit.percentUsed ?? 0)} used</Badge>}
					{showSource && limit.source !== "config" && <Badge tone="accent">{sourceText(limit.source)}</Badge>}
					{limit.resetAt && <ResetsIn at={limit.resetAt} onReset={onReset} />}
				</span>
			</div>
		</div>
	);
}

/** Counts down, and says once when it has come to an end. */
function ResetsIn({ at, onReset }: { at: string; onReset: (() => void) | undefined }) {
	const now = useNow(1000);
	const left = new Date(at).getTime() - now;
	const told = useRef<string | undefined>(undefined);
	useEffect(() => {
		if (left > 0 || told.current === at) return undefined;
		told.current = at;
		onReset?.();
		// asked a moment too early, or the clock was set back: ask again
		const again = setTimeout(() => (told.current = undefined), 3000);
		return () => clearTimeout(again);
	}, [left, at, onReset]);
	return <span>{left > 0 ? `Resets in ${spanText(left)}` : "Resets now"}</span>;
}
