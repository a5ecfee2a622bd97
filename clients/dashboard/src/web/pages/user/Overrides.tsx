import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CalendarClock, Plus, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api, type Outputs } from "../../api";
import {
	Ago,
	Answer,
	Badge,
	Button,
	Card,
	Empty,
	ErrorNote,
	Field,
	Time,
	type Tone,
} from "../../components/basics";
import { Dialog, DialogForm } from "../../components/Dialog";
import { TextField, UntilField } from "../../components/fields";
import { type Columns, Table } from "../../components/Table";
import { say } from "../../components/toasts";
import { limitText } from "../../format";
import { useServer } from "../../session";
import { fieldValue } from "../limits/values";
import type { UserData } from "../User";

type Override = Outputs["users"]["overrides"][number];

const states: Record<Override["state"], { label: string; tone: Tone }> = {
	"in force": { label: "In force", tone: "good" },
	coming: { label: "Coming", tone: "accent" },
	past: { label: "Over", tone: "neutral" },
};

export function Overrides({ user }: { user: UserData }) {
	const { userId } = user;
	const cache = useQueryClient();
	const { can } = useServer();
	const overrides = useQuery(api.users.overrides.queryOptions({ userId }, { refetchInterval: 30_000 }));
	const [adding, setAdding] = useState(false);
	const [ending, setEnding] = useState<Override>();
	const end = useMutation(
		api.users.endOverride.mutationOptions({
			onSuccess: async () => {
				await cache.invalidateQueries();
				setEnding(undefined);
				say("The override has ended.");
			},
		}),
	);
	const columns: Columns<Override> = [
		{
			id: "limit",
			header: "Limit",
			meta: { heading: true },
			cell: ({ row }) => <code>{row.original.limitType}</code>,
		},
		{
			id: "value",
			header: "Value",
			meta: { number: true },
			cell: ({ row }) => limitText(row.original.value),
		},
		{
			id: "state",
			header: "State",
			cell: ({ row }) => (
				<Badge tone={states[row.original.state].tone}>{states[row.original.state].label}</Badge>
			),
		},
		{
			id: "starts",
			header: "From",
			meta: { wideOnly: true },
			cell: ({ row }) => <Time at={row.original.startsAt ?? row.original.createdAt} />,
		},
		{
			id: "expires",
			header: "Until",
			cell: ({ row: { original: override } }) =>
				override.expiresAt === null || override.expiresAt.endsWith("infinity") ? (
					<span className="faint">for good</span>
				) : (
					<span className="stacked-left">
						<Time at={override.expiresAt} />
						<span className="faint">
							<Ago at={override.expiresAt} />
						</span>
					</span>
				),
		},
		{
			id: "reason",
			header: "Reason",
			meta: { grow: true, wideOnly: true },
			cell: ({ row }) => row.original.reason ?? <span className="faint">none given</span>,
		},
		{
			id: "end",
			header: () => <span className="sr-only">End</span>,
			meta: { number: true },
			cell: ({ row }) =>
				can.endOverrides && (
					<Button
						small
						look="quiet"
						icon={Trash2}
						aria-label={`End the override of ${row.original.limitType}`}
						title="End"
						onClick={() => setEnding(row.original)}
					/>
				),
		},
	];
	return (
		<Card
			title="Overrides"
			note="Values that replace the tier’s for this user, for a time or for good"
			flush
			actions={
				can.setOverrides && (
					<Button icon={Plus} onClick={() => setAdding(true)}>
						Add override
					</Button>
				)
			}
		>
			<Answer of={overrides}>
				{(rows) => (
					<Table
						caption="Overrides"
						columns={columns}
						rows={rows}
						rowId={(override) => override.id}
						empty={
							<Empty icon={CalendarClock} title="No overrides">
								The values of the tier hold for this user.
							</Empty>
						}
					/>
				)}
			</Answer>
			{adding && <AddOverride user={user} onClose={() => setAdding(false)} />}
			{ending && (
				<Dialog title="End this override?" onClose={() => setEnding(undefined)}>
					<div className="dialog-body">
						<p>
							<code>{ending.limitType}</code> goes back to what the tier says. The history keeps what it was.
						</p>
						{end.error && <ErrorNote error={end.error} />}
					</div>
					<footer className="dialog-foot">
						<Button onClick={() => setEnding(undefined)}>Cancel</Button>
						<Button look="danger" busy={end.isPending} onClick={() => end.mutate({ userId, id: ending.id })}>
							End it
						</Button>
					</footer>
				</Dialog>
			)}
		</Card>
	);
}

function AddOverride({ user, onClose }: { user: UserData; onClose: () => void }) {
	const cache = useQueryClient();
	const [limitType, setLimitType] = useState(user.limits[0]?.limitType ?? "");
	const [text, setText] = useState("");
	const [unlimited, setUnlimited] = useState(false);
	const [until, setUntil] = useState("");
	const [reason, setReason] = useState("");
	const [asked, setAsked] = useState(false);
	const add = useMutation(
		api.users.addOverride.mutationOptions({
			onSuccess: async ({ warnings }) => {
				await cache.invalidateQueries();
				say("The override holds from now on.");
				for (const warning of warnings) say(warning, "warn");
				onClose();
			},
		}),
	);
	const read = fieldValue({ text, unlimited });
	const current = user.limits.find((limit) => limit.limitType === limitType);
	const submit = (event: FormEvent) => {
		event.preventDefault();
		setAsked(true);
		if ("value" in read)
			add.mutate({
				userId: user.userId,
				limitType,
				value: read.value,
				expiresAt: until ? new Date(until).toISOString() : null,
				reason: reason.trim(),
			});
	};
	return (
		<Dialog
			title="Add override"
			note={<span className="breakable">for {user.userId}</span>}
			onClose={onClose}
		>
			<DialogForm action="Add" answer={add} onSubmit={submit} onClose={onClose}>
				<Field
					label="Limit"
					hint={
						current &&
						`now ${limitText(current.limit).toLowerCase()}, ${current.current.toLocaleString("en-US")} used`
					}
				>
					{(ids) => (
						<select {...ids} value={limitType} onChange={(event) => setLimitType(event.target.value)}>
							{user.limits.map((limit) => (
								<option key={limit.limitType}>{limit.limitType}</option>
							))}
						</select>
					)}
				</Field>
				<div>
					<Field label="Value" error={asked && "error" in read ? read.error : undefined}>
						{(ids) => (
							<input
								{...ids}
								inputMode="numeric"
								autoComplete="off"
								disabled={unlimited}
								placeholder={unlimited ? "∞" : undefined}
								value={text}
								onChange={(event) => setText(event.target.value)}
							/>
						)}
					</Field>
					<label className="check">
						<input
							type="checkbox"
							checked={unlimited}
							onChange={(event) => setUnlimited(event.target.checked)}
						/>
						Unlimited
					</label>
				</div>
				<UntilField open="for good" value={until} onChange={setUntil} />
				<TextField label="Reason" hint="For people who look later." value={reason} onChange={setReason} />
			</DialogForm>
		</Dialog>
	);
}
