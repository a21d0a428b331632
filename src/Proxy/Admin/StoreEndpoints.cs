using System.Buffers;
using System.Text.Json.Nodes;
using Proxy.Admin.Reports;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Rights;
using Proxy.Wire;

namespace Proxy.Admin;

/// <summary><c>/store</c>: the metadata store as JSON: studies, their series lists, and single instances.</summary>
internal static class StoreEndpoints
{
    private const int MaxStudies = 1000;

    /// <summary>Maps <c>/store</c>.</summary>
    public static void MapStore(this IEndpointRouteBuilder routes)
    {
        var app = routes.MapGroup("").AddEndpointFilter(StudyLoading.FilterAsync);
        app.MapRead("/store/studies", (HttpContext context, DicomMetadataStore store, BackendSet backends, StudyRights rights) =>
            TypedResults.Json(View(context, store, backends).ReadPermittedAsync(rights, context.RequestAborted).Take(MaxStudies)
                .Select(s => StudyReport.Create(s, withInstances: false))))
            .WithSummary("The studies in the metadata store, at most 1000").Produces<StudyReport[]>();
        app.MapRead("/store/studies/{study}", (HttpContext context, DicomMetadataStore store, BackendSet backends) =>
            !context.TryReadUids(out var study, out _, out _, out var problem) ? problem
            : View(context, store, backends).FindStudy(study!.Value) is { } found
                ? TypedResults.Json(StudyReport.Create(found, withInstances: true))
                : Unknown("study"))
            .WithSummary("A study with the series lists of its backends").Produces<StudyReport>().ProducesProblem(400).ProducesProblem(404);
        app.MapRead("/store/studies/{study}/series/{series}", (HttpContext context, DicomMetadataStore store, BackendSet backends) =>
            !context.TryReadUids(out var study, out var series, out _, out var problem) ? problem
            : View(context, store, backends).FindHolder(new(study!.Value, series!.Value)) is { } owner
                ? TypedResults.Json(
                    SeriesReport.Create(owner.FindSeries(series!.Value)!, withInstances: true) with { Backend = owner.Backend })
                : Unknown("series"))
            .WithSummary("A series, as the backend lists it that owns it")
            .Produces<SeriesReport>().ProducesProblem(400).ProducesProblem(404);
        app.MapRead(
            "/store/studies/{study}/series/{series}/instances/{instance}",
            (HttpContext context, DicomMetadataStore store, BackendSet backends, BulkTokens tokens) =>
            !context.TryReadUids(out var study, out var series, out var instance, out var problem) ? problem
            : Answer(
                context, tokens, View(context, store, backends).FindInstance(new(study!.Value, series!.Value, instance!.Value))))
            .WithSummary("The dataset of an instance; X-Backend names its backend").ProducesDataset();
        app.MapRead("/store/instance", async (
            HttpContext context, DicomMetadataStore store, BackendSet backends, BulkTokens tokens, StudyRights rights, string? imageId) =>
        {
            if (!ImageId.TryParse(imageId, out var id))
                return Problems.BadParameter(
                    "imageId", "an image id: wadors:, wadouri: or dicomweb: followed by the address of a frame");
            var narrowed = await rights.NarrowAsync(
                context.GetAccess(), id.Instance.Study, StudyAction.View, context.RequestAborted);
            context.Note(narrowed);
            using var lease = await store.LeaseAsync(id.Instance.Study, context.RequestAborted);
            return Answer(context, tokens, new StoreView(store, backends, narrowed.Access).FindInstance(id.Instance));
        }).WithSummary("getInstanceFromImageId: the dataset of the instance that an image id of OHIF names").ProducesDataset();
    }

    private static void ProducesDataset(this RouteHandlerBuilder endpoint) =>
        endpoint.Produces<JsonObject>(contentType: MediaType.DicomJson).ProducesProblem(400).ProducesProblem(404);

    private static StoreView View(HttpContext context, DicomMetadataStore store, BackendSet backends) =>
        new(store, backends, context.GetAccess());

    private static IResult Unknown(string level) => Problems.NotFound($"The store does not contain this {level}.");

    /// <summary>The dataset of an instance; its URLs point to the root of all backends.</summary>
    private static IResult Answer(HttpContext context, BulkTokens tokens, Instance? instance)
    {
        if (instance is null) return Unknown("instance");
        context.Response.Headers["X-Backend"] = instance.Backend;
        context.Response.SetPrivate();
        var json = new ArrayBufferWriter<byte>(instance.Json.Length + 256);
        DicomJsonWriter.Write(
            json, instance.Json.Span,
            new ClientRoot(context.GetRootAddress(new Access("", [])), tokens, new StudyPath(instance.Path.Study)));
        return TypedResults.Bytes(json.WrittenMemory, MediaType.DicomJson);
    }
}
