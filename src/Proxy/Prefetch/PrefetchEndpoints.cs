using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Microsoft.OpenApi;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;
using Proxy.Prefetch.Jobs;

namespace Proxy.Prefetch;

/// <summary>The HTTP API of prefetch jobs: create, read, list, cancel.</summary>
internal static class PrefetchEndpoints
{
    private const int MaxStudies = 1000;
    private const int MaxBytes = 128 * 1024;

    private const string Rule = "a JSON object such as {\"studies\":[\"1.2.3\"],\"priority\":\"next\"}";

    /// <summary>The values of <c>priority</c> in a request.</summary>
    private static readonly Dictionary<string, PrefetchPriority> Priorities = new()
    {
        ["now"] = PrefetchPriority.Asked,
        ["next"] = PrefetchPriority.Next,
        ["idle"] = PrefetchPriority.Idle,
    };

    /// <summary>A prefetcher follows the own jobs; an operator sees those of all users.</summary>
    private const Roles Readers = Roles.Viewer | Roles.Prefetcher | Roles.Operator;

    public static void MapPrefetch(this IEndpointRouteBuilder app)
    {
        app.MapPost("/prefetch", PostAsync).Requires(Roles.Prefetcher).WithSummary("Creates a prefetch job; Location names it")
            .Produces<JobReport>(202).ProducesProblem(400).ProducesProblem(403).ProducesProblem(413).ProducesProblem(415)
            .Describe(operation => operation.RequestBody = DescribeBody());
        app.MapRead(
            "/prefetch",
            (HttpContext context, JobRegistry registry, TimeProvider time) => TypedResults.Json<JobReport[]>(
                [.. registry.ReadAll(context.GetAccess()).Select(handle => new JobReport(handle.Job, time.GetUtcNow()))]))
            .Requires(Readers).WithSummary("All prefetch jobs, the newest first").Produces<JobReport[]>();
        app.MapRead("/prefetch/{id}", IResult (HttpContext context, string id, JobRegistry registry, TimeProvider time) =>
            registry.Find(context.GetAccess(), id) is { } handle
                ? TypedResults.Json(new JobReport(handle.Job, time.GetUtcNow()))
                : Unknown())
            .Requires(Readers).WithSummary("The progress of a prefetch job").Produces<JobReport>().ProducesProblem(404);
        app.MapDelete("/prefetch/{id}", IResult (HttpContext context, string id, JobRegistry registry, TimeProvider time) =>
        {
            if (registry.Find(context.GetAccess(), id) is not { } handle) return Unknown();
            // A job that has ended is removed from the list.
            if (!handle.Cancel("cancelled by a client")) registry.Remove(id);
            return TypedResults.NoContent();
        }).Requires(Readers).WithSummary("Cancels a prefetch job, or removes a finished one").Produces(204).ProducesProblem(404);
    }

    /// <summary>What <see cref="TryRead"/> reads, for the OpenAPI document.</summary>
    private static OpenApiRequestBody DescribeBody()
    {
        var studies = new OpenApiSchema
        {
            Type = JsonSchemaType.Array,
            Items = OpenApiParts.Uid(),
            MinItems = 1,
            MaxItems = MaxStudies,
        };
        return new()
        {
            Required = true,
            Content = new Dictionary<string, OpenApiMediaType>
            {
                ["application/json"] = new()
                {
                    Schema = new OpenApiSchema
                    {
                        Type = JsonSchemaType.Object,
                        Required = new HashSet<string> { "studies" },
                        Properties = new Dictionary<string, IOpenApiSchema>
                        {
                            ["studies"] = studies,
                            ["priority"] = OpenApiParts.Text([.. Priorities.Keys]),
                        },
                    },
                },
            },
        };
    }

    private static async Task<IResult> PostAsync(HttpContext context, JobRegistry registry, TimeProvider time)
    {
        // A page of another origin can send some other types without a CORS preflight, but not JSON.
        if (!context.Request.HasJsonContentType()) return Problems.UnsupportedMediaType("application/json");
        if (await ReadAsync(context.Request, context.RequestAborted) is not { } text)
            return Problems.TooLarge($"body: at most {MaxBytes} bytes");
        if (!TryRead(text, out var studies, out var priority, out var problem)) return problem;
        var job = registry.Add(PrefetchReason.Asked, priority, context.GetAccess(), studies).Job;
        if (context.Features.Get<AccessNotes>() is { } notes) notes.Studies = [.. studies.Select(study => study.ToString())];
        context.Response.Headers.Location = $"{context.Request.PathBase}/prefetch/{job.Id}";
        return TypedResults.Json(new JobReport(job, time.GetUtcNow()), statusCode: StatusCodes.Status202Accepted);
    }

    /// <summary>Reads the body; null when it is too large.</summary>
    private static async Task<byte[]?> ReadAsync(HttpRequest request, CancellationToken cancellation)
    {
        var text = new byte[MaxBytes + 1];
        var count = await request.Body.ReadAtLeastAsync(text, text.Length, throwOnEndOfStream: false, cancellation);
        return count > MaxBytes ? null : text[..count];
    }

    private static bool TryRead(
        byte[] text, out ImmutableArray<Uid> studies, out PrefetchPriority priority, [NotNullWhen(false)] out IResult? problem)
    {
        (studies, priority, problem) = ([], PrefetchPriority.Next, null);
        try
        {
            using var document = JsonDocument.Parse(text);
            if (document.RootElement is not { ValueKind: JsonValueKind.Object } body)
                problem = Problems.BadParameter("body", Rule);
            else if (!TryReadStudies(body, out studies))
                problem = Problems.BadParameter("studies", $"a list of 1 to {MaxStudies} Study Instance UIDs (PS3.5 §9.1)");
            else if (!TryReadPriority(body, out priority))
                problem = Problems.BadParameter("priority", "one of " + string.Join(", ", Priorities.Keys));
        }
        catch (JsonException)
        {
            problem = Problems.BadParameter("body", Rule);
        }
        return problem is null;
    }

    private static bool TryReadStudies(JsonElement body, out ImmutableArray<Uid> studies)
    {
        studies = [];
        if (!body.TryGetProperty("studies", out var list) || list.ValueKind != JsonValueKind.Array
            || list.GetArrayLength() is 0 or > MaxStudies)
            return false;
        var uids = new List<Uid>();
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || !Uid.TryParse(item.GetString(), out var uid)) return false;
            uids.Add(uid);
        }
        studies = [.. uids.Distinct()];
        return true;
    }

    private static bool TryReadPriority(JsonElement body, out PrefetchPriority priority)
    {
        priority = PrefetchPriority.Next;
        return !body.TryGetProperty("priority", out var value)
            || (value.ValueKind == JsonValueKind.String && Priorities.TryGetValue(value.GetString()!, out priority));
    }

    private static IResult Unknown() => Problems.NotFound("There is no job with this id, or it ended more than an hour ago.");
}
