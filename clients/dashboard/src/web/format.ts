/** Numbers, times and names as people read them. */
const number = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value: number): string => number.format(value);
export const short = (value: number): string =>
	Math.abs(value) < 10_000 ? number.format(value) : compact.format(value);
export const percent = (value: number): string => `${number.format(Math.round(value * 100) / 100)}%`;

/** A limit's value: -1 is unlimited. */
export const limitText = (value: number): string => (value === -1 ? "Unlimited" : count(value));

export const plural = (value: number, one: string, many = `${one}s`): string =>
	`${count(value)} ${value === 1 ? one : many}`;

/** exports_daily → Exports daily; prompt → Prompt */
export function nameText(name: string): string {
	const words = name.replaceAll("_", " ").replace(/\b(api|ai|mb|gb|url|id)\b/g, (word) => word.toUpperCase());
	return words.charAt(0).toUpperCase() + words.slice(1);
}

export function durationText(milliseconds: number): string {
	if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
	const seconds = milliseconds / 1000;
	if (seconds < 60) return `${number.format(Math.round(seconds * 10) / 10)} s`;
	const minutes = Math.floor(seconds / 60);
	return `${minutes} min ${Math.round(seconds % 60)} s`;
}

const dateTime = new Intl.DateTimeFormat("en-GB", {
	day: "numeric",
	month: "short",
	year: "numeric",
	hour: "2-digit",
	minute: "2-digit",
});
const dateTimeInFull = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const dayInFull = new Intl.DateTimeFormat("en-GB", {
	weekday: "short",
	day: "numeric",
	month: "short",
	year: "numeric",
	timeZone: "UTC",
});

/** In the reader's time zone. */
export const timeText = (instant: string): string =>
	instant.endsWith("infinity") ? "never" : dateTime.format(new Date(instant));
export const timeInFull = (instant: string): string =>
	instant.endsWith("infinity") ? "never" : dateTimeInFull.format(new Date(instant));

/** A UTC date, YYYY-MM-DD. */
export const dayText = (date: string): string => day.format(new Date(`${date}T00:00:00Z`));
export const dayTextInFull = (date: string): string => dayInFull.format(new Date(`${date}T00:00:00Z`));

/** 3 d 4 h, 2 h 5 min, 4 min 3 s, 12 s: the two largest units. */
export function spanText(milliseconds: number): string {
	const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
	const units: [string, number][] = [
		["d", Math.floor(seconds / 86400)],
		["h", Math.floor(seconds / 3600) % 24],
		["min", Math.floor(seconds / 60) % 60],
		["s", seconds % 60],
	];
	const first = units.findIndex(([, value]) => value > 0);
	if (first === -1) return "0 s";
	return units
		.slice(first, first + 2)
		.filter(([, value]) => value > 0)
		.map(([unit, value]) => `${value} ${unit}`)
		.join(" ");
}

/** PostgreSQL's intervals, shortened where they are a unit: 1 day → a day. */
export function periodText(period: string | null): string {
	if (period === null) return "lifetime";
	const known: Record<string, string> = {
		"00:01:00": "minute",
		"01:00:00": "hour",
		"1 day": "day",
		"7 days": "week",
		"1 mon": "month",
		"1 year": "year",
	};
	return known[period] ? `per ${known[period]}` : `per ${period.replace("mons", "months")}`;
}

const reasons: Record<string, string> = {
	ok: "Within the limit",
	unlimited: "Unlimited",
	no_limit: "No limit",
	limit_exceeded: "Limit reached",
	amount_exceeds_limit: "More than the limit at once",
	insufficient_credits: "Not enough credits",
	over_limit: "Over the limit, allowed (soft)",
	shadow: "Over the limit, allowed (shadow)",
	not_enforced: "Not enforced",
	other_subtype: "Counts another subtype only",
	inactive: "Turned off",
};
export const reasonText = (reason: string): string => reasons[reason] ?? nameText(reason);

const sources: Record<string, string> = {
	user_override: "Override",
	tier_override: "Tier override",
	setting: "Server setting",
	config: "Tier",
};
export const sourceText = (source: string): string => sources[source] ?? nameText(source);
