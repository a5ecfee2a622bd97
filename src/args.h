/*-------------------------------------------------------------------------
 *
 * args.h
 *		Checking the arguments of SQL-callable functions.
 *
 * Each takes the argument's number and raises 22004 for a null that must not
 * be, 22023 for a value that makes no sense.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_ARGS_H
#define UL_ARGS_H

#include "fmgr.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "consume.h"

extern void ul_check_user_id(const char *user_id, const char *name);
extern void ul_check_usage_type(const char *usage_type, const char *name);
extern void ul_check_amount(int64 amount, const char *name);

/* 1 to 255 bytes. */
extern const char *ul_arg_user_id(FunctionCallInfo fcinfo, int n);

/* 1 to 50 characters. */
extern const char *ul_arg_usage_type(FunctionCallInfo fcinfo, int n);

/* Any name of 1 to 255 bytes, required or, else, NULL for null. */
extern const char *ul_arg_name(FunctionCallInfo fcinfo, int n, const char *name);
extern const char *ul_arg_optional_name(FunctionCallInfo fcinfo, int n, const char *name);

/* Text, or NULL for null; a subtype that is empty is none. */
extern const char *ul_arg_string(FunctionCallInfo fcinfo, int n);
extern const char *ul_arg_subtype(FunctionCallInfo fcinfo, int n);

/* 0 to 10^15, required or, else, NULL for null. */
extern int64 ul_arg_amount(FunctionCallInfo fcinfo, int n, const char *name);
extern const int64 *ul_arg_optional_amount(FunctionCallInfo fcinfo, int n, const char *name);

/* A limit's value: -1 or more. */
extern int64 ul_arg_limit_value(FunctionCallInfo fcinfo, int n, const char *name);

/* NULL for null. */
extern const pg_uuid_t *ul_arg_uuid(FunctionCallInfo fcinfo, int n);
extern const Jsonb *ul_arg_jsonb(FunctionCallInfo fcinfo, int n);
extern const TimestampTz *ul_arg_timestamptz(FunctionCallInfo fcinfo, int n);

/* A time to live in microseconds: more than 0. */
extern int64 ul_arg_ttl(FunctionCallInfo fcinfo, int n);

/* Raises 25006 where nothing can be written. */
extern void ul_prevent_read_only(const char *function);

#endif							/* UL_ARGS_H */
