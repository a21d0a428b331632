using Proxy.Admin.Reports;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary><c>/cache</c>: statistics of the cache by tier and backend, and purging.</summary>
internal static class CacheEndpoints
{
    /// <summary>A Patient ID has at most 64 characters (LO, PS3.5 §6.2); some archives do not keep to that.</summary>
    private const int MaxPatientId = 256;

    /// <summary>Maps <c>/cache</c>.</summary>
    public static void MapCache(this IEndpointRouteBuilder app)
    {
        app.MapRead(
            "/cache",
            (HttpContext context, CacheUse cache) => TypedResults.Json(cache.Read(context.GetAccess())))
            .WithSummary("What is cached, by tier and backend").Produces<CacheReport>();
        app.MapRead("/cache/studies", CachedStudies.AnswerAsync)
            .WithSummary("Who holds studies and what is cached of them").Produces<CachedStudyReport[]>().ProducesProblem(400)
            .Describe(operation => (operation.Parameters ??= []).Add(OpenApiParts.Query(
                "StudyInstanceUID", $"At most {CachedStudies.MaxStudies} UIDs, separated by commas", OpenApiParts.Text())));
        app.MapDelete("/cache", PurgeAllAsync).WithSummary("Purges the cache").Produces(204).ProducesProblem(503);
        app.MapDelete("/cache/studies/{study}", PurgeStudyAsync).WithSummary("Purges one study")
            .Produces(204).ProducesProblem(400).ProducesProblem(503);
        app.MapDelete("/cache/patients/{patient}", PurgePatientAsync).WithSummary("Purges the studies of one patient")
            .Produces(204).ProducesProblem(400).ProducesProblem(503);
        app.MapDelete("/cache/backends/{name}", PurgeBackendAsync).WithSummary("Purges everything of one PACS")
            .Produces(204).ProducesProblem(404).ProducesProblem(503);
    }

    private static async Task<IResult> PurgeAllAsync(CachePurge purge, CancellationToken cancellation) =>
        AnswerPurge(await purge.PurgeAllAsync(cancellation));

    private static async Task<IResult> PurgeStudyAsync(HttpContext context, CachePurge purge, CancellationToken cancellation) =>
        context.TryReadUids(out var study, out _, out _, out var problem)
            ? AnswerPurge(await purge.PurgeStudyAsync(study!.Value, cancellation))
            : problem;

    private static async Task<IResult> PurgePatientAsync(string patient, CachePurge purge, CancellationToken cancellation) =>
        patient.Trim().Length is > 0 and <= MaxPatientId
            ? AnswerPurge(await purge.PurgePatientAsync(patient, cancellation))
            : Problems.BadParameter("patient", $"a Patient ID (0010,0020) of 1 to {MaxPatientId} characters");

    private static async Task<IResult> PurgeBackendAsync(
        string name, HttpContext context, CachePurge purge, CancellationToken cancellation) =>
        context.GetAccess().Backends.FirstOrDefault(b => b.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } backend
            ? AnswerPurge(await purge.PurgeBackendAsync(backend.Name, cancellation))
            : Problems.NotFound("There is no PACS of this name.");

    private static IResult AnswerPurge(bool isDeleted) =>
        isDeleted
            ? TypedResults.NoContent()
            : Problems.DiskUnavailable(
                "The entries are no longer served, but cannot be deleted from disk now. They are deleted once the disk is writable again.");
}
