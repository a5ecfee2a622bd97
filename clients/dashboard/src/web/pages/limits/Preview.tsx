import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api } from "../../api";
import { Ago, Answer, Segmented, Skeleton } from "../../components/basics";
import { UserLink } from "../../components/UserLink";
import { count, limitText, nameText, plural } from "../../format";
import { useServer } from "../../session";
import { type Limit, type Tier, tiers } from "../Limits";
import { fieldValue, type TierFields } from "./values";

const ranges = [
	{ value: 7, label: "7 days" },
	{ value: 30, label: "30 days" },
] as const;

/** Who would have been denied, had a tier's new value held before. */
export function Preview({ limit, fields }: { limit: Limit; fields: TierFields }) {
	const { can } = useServer();
	const [days, setDays] = useState<7 | 30>(7);
	const changed = tiers.filter((tier) => {
		const read = fieldValue(fields[tier]);
		return "value" in read && read.value !== limit.values[tier];
	});
	return (
		<section className="preview" aria-label="Preview">
			<header className="row between">
				<h3>Who would have been denied?</h3>
				{can.preview && <Segmented label="Look back" value={days} options={ranges} onChange={setDays} />}
			</header>
			{!can.preview ? (
				<p className="soft">This version of the extension cannot tell: it has no usage_preview.</p>
			) : changed.length === 0 ? (
				<p className="soft">Change a value to see whom it would have stopped.</p>
			) : (
				changed.map((tier) => (
					<TierPreview key={tier} limit={limit} tier={tier} fields={fields} days={days} />
				))
			)}
		</section>
	);
}

/** What a value is once it has not changed for a moment. */
function useSettled<T>(value: T): T {
	const [settled, setSettled] = useState(value);
	useEffect(() => {
		const timer = setTimeout(() => setSettled(value), 300);
		return () => clearTimeout(timer);
	}, [value]);
	return settled;
}

function TierPreview({
	limit,
	tier,
	fields,
	days,
}: {
	limit: Limit;
	tier: Tier;
	fields: TierFields;
	days: number;
}) {
	const read = fieldValue(fields[tier]);
	const value = useSettled("value" in read ? read.value : -1);
	const preview = useQuery(
		api.limits.preview.queryOptions({ limitType: limit.limitType, value, tier, days }),
	);
	return (
		<div className="preview-tier">
			<h4>
				{nameText(tier)} with {limitText(value).toLowerCase()}
			</h4>
			<Answer of={preview} loading={<Skeleton lines={2} />}>
				{({ users, denials, byDay, most }) =>
					users === 0 ? (
						<p className="soft">Nobody in the last {days} days.</p>
					) : (
						<>
							<p data-preview={tier}>
								{plural(users, "user")}, {plural(denials, "denial")} in the last {days} days
								{byDay && ", by each day’s sum, since this type keeps no events"}
							</p>
							<ul className="plain-list">
								{most.map((user) => (
									<li key={user.userId}>
										<UserLink userId={user.userId} />
										<span className="soft">
											{plural(user.wouldDeny, "time")}
											{user.firstAt && (
												<>
													, first <Ago at={user.firstAt} />
												</>
											)}
										</span>
									</li>
								))}
							</ul>
							{users > most.length && <p className="soft">and {count(users - most.length)} more</p>}
						</>
					)
				}
			</Answer>
		</div>
	);
}
