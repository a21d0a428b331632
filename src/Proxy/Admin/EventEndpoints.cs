using Microsoft.OpenApi;
using Proxy.Backends;
using Proxy.Events;
using Proxy.Operations;
using Proxy.Rights;

namespace Proxy.Admin;

/// <summary><c>/events</c>: the events as a stream of server-sent events.</summary>
internal static class EventEndpoints
{
    /// <summary>Maps <c>/events</c>.</summary>
    public static void MapEvents(this IEndpointRouteBuilder app) => app.MapRead("/events", ListenAsync)
        .WithSummary("Live events as server-sent events").ProducesProblem(400).ProducesProblem(429).ProducesProblem(503)
        .Describe(operation =>
        {
            operation.Parameters ??= [];
            operation.Parameters.Add(OpenApiParts.Query("event", "Names of events, separated by commas", OpenApiParts.Text()));
            operation.Parameters.Add(OpenApiParts.Query("study", "Only events of this study", OpenApiParts.Uid()));
            operation.Parameters.Add(OpenApiParts.Query("backend", "Only events of this backend", OpenApiParts.Text()));
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = "Last-Event-ID",
                In = ParameterLocation.Header,
                Description = "The last event that the client has: the stream continues after it",
                Schema = OpenApiParts.Text(),
            });
            operation.Responses ??= [];
            operation.Responses["200"] = OpenApiParts.Text(
                "text/event-stream", $"A stream of events; data is JSON. Names: {string.Join(", ", ProxyEvent.Names)}, {ProxyEvent.Gap}");
        });

    private static async Task ListenAsync(HttpContext context, EventStreams streams, StudyRights rights)
    {
        if (!EventFilter.TryRead(context.Request.Query, out var filter, out var problem))
        {
            await problem.ExecuteAsync(context);
            return;
        }
        if (HttpMethods.IsHead(context.Request.Method))
        {
            EventStreams.SetHeaders(context.Response);
            return;
        }
        var access = context.GetAccess();
        filter = filter with { Sees = access.Sees, Caller = access.Caller };
        if (rights.AreLimited(access))
        {
            filter = filter with
            {
                MaySee = async (happened, ended) =>
                {
                    if (happened is not { Study: { } study, Backend: { } backend }) return true;
                    // A series that moved names the backend that it came from.
                    string[] named = happened.More.TryGetValue("from", out var from) ? [backend, from.GetString()!] : [backend];
                    foreach (var name in named)
                    {
                        if (rights.FindVisible(access.Caller, name) is not { } found
                            || !await rights.MayAsync(access.Caller, found, study, StudyAction.View, ended))
                            return false;
                    }
                    return true;
                },
            };
        }
        if (Refuse(await streams.WriteAsync(context, filter)) is { } refusal) await refusal.ExecuteAsync(context);
    }

    private static IResult? Refuse(ListenOutcome outcome) => outcome switch
    {
        ListenOutcome.Full => Problems.AtCapacity($"At most {EventStreams.MaxStreams} listeners at once."),
        ListenOutcome.FullForAddress => Problems.TooMany($"At most {EventStreams.MaxStreamsPerAddress} listeners at once per address."),
        _ => null,
    };
}
