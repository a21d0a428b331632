using System.Collections.Immutable;
using System.Security.Cryptography;
using WireMock;
using WireMock.RequestBuilders;
using WireMock.ResponseBuilders;
using WireMock.Server;
using WireMock.Settings;
using WireMock.Types;
using WireMock.Util;

namespace Proxy.Tests.Pacs;

/// <summary>A request that a fake PACS received.</summary>
/// <param name="Path">Below the DICOMweb root.</param>
public sealed record PacsRequest(string Method, string Path, string Query, ImmutableDictionary<string, string> Headers, string Body);

/// <summary>A PACS on a loopback port of its own that answers for its studies like Orthanc, and fails on demand.</summary>
public sealed class WireMockPacs : IDisposable
{
    private const string Root = "/dicom-web/";

    private readonly WireMockServer _server;
    private ImmutableList<(string PathEnd, Gate Gate)> _gates = [];
    private ImmutableList<(string PathEnd, Func<PacsRequest, PacsAnswer?> Answer)> _faults = [];
    private ImmutableList<(string PathEnd, Func<PacsRequest, Task<PacsAnswer?>> Answer)> _delays = [];
    private ImmutableList<PacsRequest> _requests = [];
    private int _running;
    private int _peak;

    public WireMockPacs(params IEnumerable<HeldStudy> studies)
    {
        Archive = new(() => Address);
        Archive.Hold(studies);
        var urls = new[] { $"http://127.0.0.1:{FreePort.Next()}" };
        _server = WireMockServer.Start(new WireMockServerSettings { Urls = urls, MaxRequestLogCount = 0 });
        _server.Given(Request.Create().UsingAnyMethod()).RespondWith(Response.Create().WithCallback(AnswerAsync));
    }

    public Archive Archive { get; }

    public int Port => _server.Port;

    public string Address => $"http://127.0.0.1:{Port}/dicom-web";

    /// <summary>Every request, in the order of arrival.</summary>
    public IReadOnlyList<PacsRequest> Requests => _requests;

    /// <summary>Whether metadata has an ETag and the PACS answers 304 to a client that has it.</summary>
    public bool GivesETags { get; set; }

    /// <summary>The Last-Modified date of metadata; a PACS with a date and no ETag answers 304 to that date.</summary>
    public string? LastModified { get; set; }

    /// <summary>The highest number of concurrent requests.</summary>
    public int Peak => Volatile.Read(ref _peak);

    public int Count(string pathEnd) => _requests.Count(r => r.Path.EndsWith(pathEnd, StringComparison.Ordinal));

    public WireMockPacs Hold(params IEnumerable<HeldStudy> studies)
    {
        Archive.Hold(studies);
        return this;
    }

    /// <summary>Gives this answer to every path with this ending; the newest rule wins.</summary>
    public void Respond(PacsAnswer answer, string pathEnd = "") => _faults = _faults.Insert(0, (pathEnd, _ => answer));

    /// <summary>Lets this decide on every request; where it returns null the archive answers.</summary>
    public void Respond(Func<PacsRequest, PacsAnswer?> answer) => _faults = _faults.Insert(0, ("", answer));

    /// <summary>Lets this decide on every path with this ending; the newest rule wins.</summary>
    public void On(string pathEnd, Func<PacsRequest, PacsAnswer?> answer) => _faults = _faults.Insert(0, (pathEnd, answer));

    /// <summary>Lets this decide, in its own time, on every path with this ending; where it returns null the other rules decide.</summary>
    public void Delay(string pathEnd, Func<PacsRequest, Task<PacsAnswer?>> answer) => _delays = _delays.Add((pathEnd, answer));

    public void Fail(int status, string pathEnd = "") => Respond(PacsAnswer.Text(status, "text/plain", "no"), pathEnd);

    /// <summary>Holds requests to paths with this ending at a gate.</summary>
    public Gate Hang(string pathEnd = "")
    {
        var gate = new Gate();
        _gates = _gates.Add((pathEnd, gate));
        return gate;
    }

    /// <summary>Removes all faults and answers the waiting requests.</summary>
    public void Recover()
    {
        foreach (var (_, gate) in _gates) gate.Open();
        _gates = [];
        _delays = [];
        _faults = [];
    }

    public void Dispose()
    {
        Recover();
        _server.Dispose();
    }

    private async Task<IResponseMessage> AnswerAsync(IRequestMessage message)
    {
        var target = new Uri(message.Url);
        var path = target.AbsolutePath.StartsWith(Root, StringComparison.Ordinal)
            ? target.AbsolutePath[Root.Length..]
            : target.AbsolutePath;
        var headers = message.Headers!.ToImmutableDictionary(h => h.Key, h => string.Join(", ", h.Value), StringComparer.OrdinalIgnoreCase);
        var request = new PacsRequest(message.Method, path, target.Query, headers, message.Body ?? "");
        ImmutableInterlocked.Update(ref _requests, (all, one) => all.Add(one), request);
        var running = Interlocked.Increment(ref _running);
        for (int seen; (seen = Peak) < running && Interlocked.CompareExchange(ref _peak, running, seen) != seen;) { }
        try
        {
            foreach (var (pathEnd, gate) in _gates)
            {
                if (path.EndsWith(pathEnd, StringComparison.Ordinal)) await gate.PassAsync();
            }
            foreach (var (pathEnd, answerLater) in _delays)
            {
                if (path.EndsWith(pathEnd, StringComparison.Ordinal) && await answerLater(request) is { } later) return ToMessage(later);
            }
            var fault = _faults.Find(f => path.EndsWith(f.PathEnd, StringComparison.Ordinal)).Answer;
            var scripted = fault?.Invoke(request);
            var answer = scripted ?? Archive.Answer(path, target.Query, headers.GetValueOrDefault("Accept", ""));
            return ToMessage(scripted is null
                && path.EndsWith("/metadata", StringComparison.Ordinal) ? WithValidators(answer, headers) : answer);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    private PacsAnswer WithValidators(PacsAnswer answer, ImmutableDictionary<string, string> headers)
    {
        var (name, condition, value) = GivesETags
            ? ("ETag", "If-None-Match", $"\"{Convert.ToHexString(SHA256.HashData(answer.Body))[..16]}\"")
            : ("Last-Modified", "If-Modified-Since", LastModified);
        if (value is null) return answer;
        return headers.GetValueOrDefault(condition) == value
            ? new(304, "application/dicom+json", []) { Headers = [(name, value)] }
            : answer with { Headers = [(name, value)] };
    }

    private static ResponseMessage ToMessage(PacsAnswer answer)
    {
        var message = new ResponseMessage
        {
            StatusCode = answer.Status,
            BodyData = new BodyData { DetectedBodyType = BodyType.Bytes, BodyAsBytes = answer.Body }
        };
        message.AddHeader("Content-Type", answer.ContentType);
        foreach (var (name, value) in answer.Headers) message.AddHeader(name, value);
        return message;
    }
}
