import { type CSSProperties, createElement as h, type ReactNode, useEffect, useId, useState } from "react";
import { type UseUsageLimitsOptions, useUsageLimits } from "./hook.js";
import type { LimitData } from "./types.js";

/** The parts that can be styled. */
export type DisplaySlot =
	| "root"
	| "title"
	| "list"
	| "item"
	| "heading"
	| "label"
	| "value"
	| "track"
	| "bar"
	| "note";

export interface UsageDisplayProps extends UseUsageLimitsOptions {
	/** What to show, in this order: names of limits, or what they are about (`prompts`). By default, each of the latter. */
	names?: string[] | undefined;
	/** What they are called; by default their names in words. */
	labels?: Record<string, ReactNode> | undefined;
	title?: ReactNode | undefined;
	/** Classes for the parts; a part with one has no style of its own. */
	classNames?: Partial<Record<DisplaySlot, string>> | undefined;
	styles?: Partial<Record<DisplaySlot, CSSProperties>> | undefined;
	/** No styles at all. */
	unstyled?: boolean | undefined;
	/** The words, for other languages. */
	texts?: Partial<DisplayTexts> | undefined;
	/** While nothing is known. By default nothing. */
	fallback?: ReactNode | undefined;
	/** When the limits cannot be had and none are known. By default nothing. */
	renderError?: ((error: unknown) => ReactNode) | undefined;
}

export interface DisplayTexts {
	unlimited: string;
	/** For a limit of 0. */
	blocked: string;
	value: (current: string, limit: string) => string;
	resets: (duration: string) => string;
	/** Milliseconds in words. */
	duration: (milliseconds: number) => string;
	number: (value: number) => string;
}

/** The two largest units that are not zero: "3d 4h", "2h 5m", "1m 9s", "8s". */
export function formatDuration(milliseconds: number): string {
	const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
	const parts: [number, string][] = [
		[Math.floor(seconds / 86_400), "d"],
		[Math.floor(seconds / 3600) % 24, "h"],
		[Math.floor(seconds / 60) % 60, "m"],
		[seconds % 60, "s"],
	];
	const first = parts.findIndex(([count]) => count > 0);
	if (first < 0) return "0s";
	return parts
		.slice(first, first + 2)
		.filter(([count]) => count > 0)
		.map(([count, unit]) => `${count}${unit}`)
		.join(" ");
}

const defaultTexts: DisplayTexts = {
	unlimited: "unlimited",
	blocked: "not included",
	value: (current, limit) => `${current} / ${limit}`,
	resets: (duration) => `Resets in ${duration}`,
	duration: formatDuration,
	// the same on the server and in every browser
	number: (value) => value.toLocaleString("en-US"),
};

const color = (name: string, value: string) => `var(--usage-${name}, ${value})`;

/** The styles, whose colors can be set by CSS variables: `--usage-bar: rebeccapurple`. */
const defaultStyles: Record<DisplaySlot, CSSProperties> = {
	root: {
		border: `1px solid ${color("border", "#d4d4d8")}`,
		borderRadius: 8,
		padding: 16,
		fontSize: 14,
		lineHeight: 1.4,
	},
	title: { margin: "0 0 12px", fontSize: "inherit", fontWeight: 600 },
	list: { display: "grid", gap: 12, margin: 0, padding: 0, listStyle: "none" },
	item: { display: "grid", gap: 4 },
	heading: { display: "flex", justifyContent: "space-between", gap: 12 },
	label: {},
	value: { fontVariantNumeric: "tabular-nums", color: color("muted", "inherit") },
	track: { height: 8, borderRadius: 4, overflow: "hidden", background: color("track", "#e4e4e7") },
	bar: { height: "100%", background: color("bar", "#2563eb") },
	note: { fontSize: "0.85em", color: color("muted", "inherit") },
};

const words = (name: string) => {
	const text = name.replaceAll("_", " ");
	return text.charAt(0).toUpperCase() + text.slice(1);
};

/** Counts down: the server's now, anew every second while there is something to count down to. */
function useServerNow(clockOffset: number, active: boolean): number {
	const [now, setNow] = useState(() => Date.now() + clockOffset);
	useEffect(() => {
		setNow(Date.now() + clockOffset);
		if (!active) return;
		const timer = setInterval(() => setNow(Date.now() + clockOffset), 1000);
		return () => clearInterval(timer);
	}, [clockOffset, active]);
	return now;
}

/** A user's limits with their bars. */
export function UsageDisplay(props: UsageDisplayProps) {
	const { names, labels = {}, title = "Usage", classNames = {}, styles = {}, unstyled = false } = props;
	const texts = { ...defaultTexts, ...props.texts };
	const { limits, error, clockOffset } = useUsageLimits(props);
	const id = useId();
	const shown = (names ?? Object.keys(limits).filter((name) => !["tier", "now", "limits"].includes(name)))
		.map((name) => [name, limits.limits?.[name] ?? limits[name]] as const)
		.filter((entry): entry is readonly [string, LimitData] => entry[1] !== undefined);
	const now = useServerNow(
		clockOffset,
		shown.some(([, limit]) => limit.resetAt !== null),
	);
	if (limits.limits === undefined) return (error ? props.renderError?.(error) : props.fallback) ?? null;

	const look = (slot: DisplaySlot, more: CSSProperties = {}) => {
		const style = { ...(unstyled || classNames[slot] ? {} : defaultStyles[slot]), ...more, ...styles[slot] };
		return { className: classNames[slot], style: Object.keys(style).length ? style : undefined };
	};

	const items = shown.map(([name, limit]) => {
		const label = labels[name] ?? words(name);
		const isUnlimited = limit.limit < 0;
		const current = texts.number(limit.current);
		const text = isUnlimited
			? texts.value(current, "∞")
			: limit.limit === 0
				? texts.blocked
				: texts.value(current, texts.number(limit.limit));
		const spoken = isUnlimited ? texts.value(current, texts.unlimited) : text;
		const isFull = !isUnlimited && limit.current >= limit.limit;
		const percent = isUnlimited ? 0 : isFull ? 100 : Math.max(0, (limit.current / limit.limit) * 100);
		const labelId = `${id}-${name}`;
		const resetAt = limit.resetAt === null ? undefined : new Date(limit.resetAt);
		const left = resetAt === undefined ? 0 : resetAt.getTime() - now;
		return h(
			"li",
			{
				key: name,
				...look("item"),
				"data-limit": limit.limitType,
				"data-state": isUnlimited ? "unlimited" : isFull ? "full" : "open",
			},
			h(
				"div",
				look("heading"),
				h("span", { id: labelId, ...look("label") }, label),
				h(
					"span",
					look("value"),
					isUnlimited
						? [
								h("span", { key: "sign", "aria-hidden": true }, text),
								h("span", { key: "words", style: visuallyHidden }, spoken),
							]
						: text,
				),
			),
			!isUnlimited &&
				h(
					"div",
					{
						role: "progressbar",
						"aria-labelledby": labelId,
						"aria-valuemin": 0,
						"aria-valuemax": Math.max(limit.limit, 1),
						"aria-valuenow": limit.limit === 0 ? 1 : Math.min(Math.max(limit.current, 0), limit.limit),
						"aria-valuetext": spoken,
						...look("track"),
					},
					h("div", look("bar", { width: `${percent}%`, ...(isFull ? fullBar : {}) })),
				),
			resetAt !== undefined &&
				left > 0 &&
				h(
					"time",
					{ dateTime: resetAt.toISOString(), suppressHydrationWarning: true, ...look("note") },
					texts.resets(texts.duration(left)),
				),
		);
	});
	return h(
		"section",
		{ "aria-labelledby": `${id}-title`, ...look("root") },
		h("h3", { id: `${id}-title`, ...look("title") }, title),
		h("ul", { ...look("list"), role: "list" }, items),
	);
}

const visuallyHidden: CSSProperties = {
	position: "absolute",
	width: 1,
	height: 1,
	overflow: "hidden",
	clipPath: "inset(50%)",
	whiteSpace: "nowrap",
};
const fullBar: CSSProperties = { background: color("bar-full", "#dc2626") };
