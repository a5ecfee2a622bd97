import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Gauge, Pencil, Plus } from "lucide-react";
import { useEffect, useState } from "react";
import { api, type Outputs } from "../api";
import { Answer, Badge, Button, Card, classes, Empty, PageHead, Segmented, Time } from "../components/basics";
import { type Columns, Table } from "../components/Table";
import { limitText, nameText, periodText, plural } from "../format";
import { useServer } from "../session";
import { EditLimit, NewLimit } from "./limits/Editor";
import { History } from "./limits/History";

const route = getRouteApi("/admin/limits");

export type Limit = Outputs["limits"]["list"][number];
export const tiers = ["free", "pro", "team", "enterprise"] as const;
export type Tier = (typeof tiers)[number];

const views = [
	{ value: "limits", label: "Limits" },
	{ value: "history", label: "History" },
] as const;

const alignments: Record<string, string> = {
	calendar: "",
	sliding: "sliding",
	anniversary: "from the billing day",
	none: "",
};

/** What a limit counts, in words. */
export function limitAbout(limit: Limit): string {
	const measure =
		limit.measure === "amount"
			? ""
			: `${limit.measure === "duration_ms" ? "milliseconds" : limit.measure} of `;
	const subtype = limit.eventSubtype === null ? "" : ` (${limit.eventSubtype})`;
	const kind =
		limit.kind === "counter"
			? periodText(limit.period)
			: limit.kind === "gauge"
				? "at any time"
				: limit.kind === "rate"
					? `${periodText(limit.period)}, as a rate`
					: "at once";
	const alignment = alignments[limit.alignment] ?? limit.alignment;
	return `${measure}${limit.usageType}${subtype} ${kind}${alignment && `, ${alignment}`}`;
}

export function EnforcementBadge({ limit }: { limit: Pick<Limit, "enforcement" | "isActive"> }) {
	if (!limit.isActive) return <Badge>Off</Badge>;
	if (limit.enforcement === "hard") return <Badge tone="good">Enforced</Badge>;
	return limit.enforcement === "soft" ? <Badge tone="warn">Soft</Badge> : <Badge tone="accent">Shadow</Badge>;
}

export function LimitsPage() {
	const { view } = route.useSearch();
	const navigate = useNavigate();
	const { can } = useServer();
	const [creating, setCreating] = useState(false);
	useEffect(() => {
		document.title = "Limits · Usage limits";
	}, []);
	return (
		<>
			<PageHead
				title="Limits"
				note="How much each tier may use. A change counts from the next call on, everywhere."
				actions={
					<>
						<Segmented
							label="View"
							value={view}
							options={views}
							onChange={(value) => void navigate({ to: "/limits", search: { view: value } })}
						/>
						{can.setLimits && (
							<Button look="primary" icon={Plus} onClick={() => setCreating(true)}>
								New limit
							</Button>
						)}
					</>
				}
			/>
			{view === "limits" ? <LimitList /> : <History />}
			{creating && <NewLimit onClose={() => setCreating(false)} />}
		</>
	);
}

function LimitList() {
	const limits = useQuery(api.limits.list.queryOptions());
	const { can } = useServer();
	const [editing, setEditing] = useState<string>();
	const edited = limits.data?.find((limit) => limit.limitType === editing);

	const columns: Columns<Limit> = [
		{
			id: "limit",
			header: "Limit",
			accessorKey: "limitType",
			meta: { heading: true, grow: true },
			cell: ({ row: { original: limit } }) => (
				<div className={classes("limit-name", !limit.isActive && "dimmed")}>
					<span>{limit.description ?? nameText(limit.limitType)}</span>
					<span className="faint">
						<code>{limit.limitType}</code> · {limitAbout(limit)}
					</span>
				</div>
			),
		},
		...tiers.map((tier) => ({
			id: tier,
			header: nameText(tier),
			meta: { number: true },
			accessorFn: (limit: Limit) => (limit.values[tier] === -1 ? Infinity : limit.values[tier]),
			cell: ({ row: { original: limit } }: { row: { original: Limit } }) => (
				<TierValue limit={limit} tier={tier} />
			),
		})),
		{
			id: "mode",
			header: "Mode",
			accessorFn: (limit: Limit) => (limit.isActive ? limit.enforcement : "off"),
			cell: ({ row }) => <EnforcementBadge limit={row.original} />,
		},
		{
			id: "edit",
			header: () => <span className="sr-only">Edit</span>,
			enableSorting: false,
			meta: { number: true },
			cell: ({ row: { original: limit } }) =>
				can.setLimits && (
					<Button
						small
						look="quiet"
						icon={Pencil}
						aria-label={`Edit ${limit.limitType}`}
						onClick={() => setEditing(limit.limitType)}
					/>
				),
		},
	];

	return (
		<Card flush>
			<Answer of={limits}>
				{(rows) => (
					<Table
						caption="Limits"
						columns={columns}
						rows={rows}
						rowId={(limit) => limit.limitType}
						sort={[]}
						empty={
							<Empty icon={Gauge} title="No limits yet">
								Nothing is refused until there is one.
							</Empty>
						}
					/>
				)}
			</Answer>
			{edited && <EditLimit key={edited.limitType} limit={edited} onClose={() => setEditing(undefined)} />}
			{limits.data?.some(({ overrides }) =>
				overrides.some(({ tier }) => !(tiers as readonly string[]).includes(tier)),
			) && <OtherTiers limits={limits.data} />}
		</Card>
	);
}

/** What holds for the tier: an override goes before the column. */
function TierValue({ limit, tier }: { limit: Limit; tier: Tier }) {
	const override = limit.overrides.find((each) => each.tier === tier);
	const own = limit.values[tier];
	const value = override?.value ?? own;
	const text = (
		<span className={classes(value === -1 && "faint", value === 0 && "blocked")}>
			{value === 0 ? "Blocked" : limitText(value)}
		</span>
	);
	if (!override) return text;
	return (
		<span className="stacked">
			{text}
			<span className="override-note">instead of {limitText(own).toLowerCase()}</span>
			{override.expiresAt && !override.expiresAt.endsWith("infinity") && (
				<span className="override-note">
					until <Time at={override.expiresAt} />
				</span>
			)}
		</span>
	);
}

/** Tiers without a column live in overrides alone. */
function OtherTiers({ limits }: { limits: Limit[] }) {
	const others = limits.flatMap(({ overrides }) =>
		overrides.filter(({ tier }) => !(tiers as readonly string[]).includes(tier)),
	);
	return (
		<div className="card-part">
			<h3>{plural(new Set(others.map(({ tier }) => tier)).size, "tier")} of your own</h3>
			<ul className="plain-list">
				{others.map(({ limitType, tier, value }) => (
					<li key={`${limitType} ${tier}`}>
						<span>
							{nameText(tier)} · <code>{limitType}</code>
						</span>
						<span>{limitText(value)}</span>
					</li>
				))}
			</ul>
		</div>
	);
}
