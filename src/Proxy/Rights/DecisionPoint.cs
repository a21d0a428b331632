using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary>A study that a decision point judges.</summary>
/// <param name="Study">The study.</param>
/// <param name="PatientId">Its Patient ID; empty for none.</param>
/// <param name="Backend">The backend that holds it.</param>
public sealed record JudgedStudy(string Study, string PatientId, string Backend);

/// <summary>The answer of a decision point.</summary>
/// <param name="IsGranted">Whether the user may do it.</param>
/// <param name="Validity">How long the answer holds; never longer than <see cref="AccessOptions.DecisionLifetime"/>.</param>
public readonly record struct Judgement(bool IsGranted, TimeSpan Validity);

/// <summary>Asks the external decision point (<c>Security:Access:DecisionUrl</c>), which fails closed.</summary>
/// <remarks>
/// The question and the answer have the shape of Orthanc's authorization plug-in. One question is a JSON object; several are an array, and
/// the answer is an array of the same length:
/// <code>
/// → {"user":"anna","roles":["cardio"],"action":"view","study":"1.2","patientId":"A1","backend":"east"}
/// ← {"granted":true,"validity":60}
/// </code>
/// A validity that is missing or 0 means no reuse: the next request asks again. Redirects are not followed.
/// </remarks>
public sealed partial class DecisionPoint(IHttpClientFactory clients, Reloadable<AccessOptions> options, ILogger<DecisionPoint> log)
{
    /// <summary>The name of the HTTP client.</summary>
    public const string Client = "decision point";

    /// <summary>The most questions in one request.</summary>
    private const int MaxQuestions = 200;

    private const long MaxAnswerBytes = 1 << 20;

    /// <summary>The time limit of one answer.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>Asks about studies; null for those that were not decided.</summary>
    /// <returns>One answer for each study, in their order.</returns>
    public async Task<IReadOnlyList<Judgement?>> AskAsync(
        Caller caller, StudyAction action, IReadOnlyList<JudgedStudy> studies, CancellationToken cancellation)
    {
        if (options.Value.DecisionUrl is not { } url) return new Judgement?[studies.Count];
        var answers = new List<Judgement?>(studies.Count);
        foreach (var some in studies.Chunk(MaxQuestions)) answers.AddRange(await AskSomeAsync(url, caller, action, some, cancellation));
        return answers;
    }

    private async Task<IReadOnlyList<Judgement?>> AskSomeAsync(
        Uri url, Caller caller, StudyAction action, JudgedStudy[] studies, CancellationToken cancellation)
    {
        string[] roles = [.. caller.Groups.Order(StringComparer.Ordinal)];
        var name = action.ToString().ToLowerInvariant();
        var questions = studies.Select(s => new Question(caller.Id, roles, name, s.Study, s.PatientId, s.Backend)).ToArray();
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, url);
            request.Content = new ByteArrayContent(
                questions is [var only]
                    ? JsonSerializer.SerializeToUtf8Bytes(only, DecisionJson.Default.Question)
                    : JsonSerializer.SerializeToUtf8Bytes(questions, DecisionJson.Default.QuestionArray));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await clients.CreateClient(Client).SendAsync(request, cancellation);
            if (response.StatusCode != System.Net.HttpStatusCode.OK) return Fail($"status {(int)response.StatusCode}");
            var body = await response.Content.ReadAsByteArrayAsync(cancellation);
            var answers = questions.Length == 1
                ? [JsonSerializer.Deserialize(body, DecisionJson.Default.Answer)]
                : JsonSerializer.Deserialize(body, DecisionJson.Default.AnswerArray) ?? [];
            return answers.Length == questions.Length && answers.All(answer => answer?.Granted is not null)
                ? [.. answers.Select(answer => (Judgement?)Create(answer!))]
                : Fail("an answer without \"granted\" for each question");
        }
        catch (Exception e) when (e is HttpRequestException or JsonException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return Fail(e switch
            {
                OperationCanceledException => "no answer in time",
                JsonException => "an answer that is not JSON",
                _ => "no answer",
            });
        }

        Judgement?[] Fail(string reason)
        {
            log.DecisionPointFailed(reason);
            return new Judgement?[studies.Length];
        }
    }

    private Judgement Create(Answer answer) => new(
        answer.Granted == true,
        TimeSpan.FromSeconds(Math.Clamp(answer.Validity ?? 0, 0, options.Value.DecisionLifetime.TotalSeconds)));

    internal static HttpMessageHandler CreateHandler() => new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = Timeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
    };

    internal static void Configure(HttpClient client)
    {
        client.Timeout = Timeout;
        client.MaxResponseContentBufferSize = MaxAnswerBytes;
    }

    private sealed record Question(string User, string[] Roles, string Action, string Study, string PatientId, string Backend);

    private sealed record Answer(bool? Granted, double? Validity);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    [JsonSerializable(typeof(Question))]
    [JsonSerializable(typeof(Question[]))]
    [JsonSerializable(typeof(Answer))]
    [JsonSerializable(typeof(Answer[]))]
    private sealed partial class DecisionJson : JsonSerializerContext;
}
