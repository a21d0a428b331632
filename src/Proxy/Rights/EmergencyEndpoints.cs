using System.Text.Json;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary><c>/emergency</c>: a user opens a denied study, or the denied studies of a patient, for a stated reason.</summary>
internal static class EmergencyEndpoints
{
    private const int MaxBytes = 4096;

    private const string Rule =
        "a JSON object with a reason of 5 to 500 characters and either a study or a patient, such as "
        + "{\"study\":\"1.2.3\",\"reason\":\"trauma room\"} or {\"patientId\":\"A1\",\"reason\":\"trauma room\"}";

    /// <summary>Maps <c>POST /emergency</c>.</summary>
    public static void MapEmergency(this IEndpointRouteBuilder app) => app.MapPost("/emergency", PostAsync)
        .Requires(Roles.Emergency).WithSummary("Opens a denied study, or the studies of a patient, for a stated reason")
        .Produces<EmergencyReport>(201).ProducesProblem(400).ProducesProblem(403).ProducesProblem(415).ProducesProblem(429);

    private static async Task<IResult> PostAsync(
        HttpContext context, EmergencyGrants grants, StudyRights rights, ILogger<EmergencyGrants> log)
    {
        // A page of another origin can send some other types without a CORS preflight, but not JSON.
        if (!context.Request.HasJsonContentType()) return Problems.UnsupportedMediaType("application/json");
        var text = new byte[MaxBytes + 1];
        var count = await context.Request.Body.ReadAtLeastAsync(text, text.Length, throwOnEndOfStream: false, context.RequestAborted);
        if (count > MaxBytes || Read(text.AsMemory(0, count)) is not var (study, patient, reason))
            return Problems.BadParameter("body", Rule);
        var caller = context.GetCaller();
        if (grants.Add(caller, study, patient, reason) is not { } grant)
            return Problems.TooMany("This user has too many emergency accesses that have not ended.");
        rights.Forget(caller);
        if (context.Features.Get<AccessNotes>() is { } notes)
        {
            (notes.IsEmergency, notes.BeginsEmergency) = (true, true);
            notes.Studies = study is { } uid ? [$"{uid}"] : [];
            notes.Reason = patient is null ? reason : $"{reason} (patient {patient})";
        }
        log.EmergencyGranted(caller.Identity.Replace('\n', ' '));
        return TypedResults.Json(new EmergencyReport(grant.Until), statusCode: StatusCodes.Status201Created);
    }

    private static (Uid? Study, string? PatientId, string Reason)? Read(ReadOnlyMemory<byte> text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            if (document.RootElement.ValueKind != JsonValueKind.Object) return null;
            var (study, patient, reason) = (Find("study"), Find("patientId"), Find("reason")?.Trim());
            if (reason is not { Length: >= 5 and <= 500 } || reason.Any(char.IsControl) || (study is null) == (patient is null))
                return null;
            if (study is null) return patient is { Length: > 0 and <= 64 } ? (null, patient, reason) : null;
            return Uid.TryParse(study, out var uid) ? (uid, null, reason) : null;

            string? Find(string name) =>
                document.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                    ? value.GetString()
                    : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>An emergency access.</summary>
    /// <param name="Until">Its end.</param>
    private sealed record EmergencyReport(DateTimeOffset Until);
}
