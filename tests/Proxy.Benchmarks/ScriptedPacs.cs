using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Proxy.Benchmarks;

/// <summary>A server with prebuilt answers to study searches: the proxy dominates the measured time.</summary>
/// <remarks>It honours <c>limit</c> and <c>offset</c>. A search for a <c>PatientID</c> finds the first <see cref="Few"/> studies.</remarks>
internal sealed class ScriptedPacs
{
    /// <summary>The number of studies that a narrow search finds.</summary>
    public const int Few = 100;

    private readonly StudyRows _rows;
    private readonly TimeSpan _delay;

    private ScriptedPacs(StudyRows rows, TimeSpan delay) => (_rows, _delay) = (rows, delay);

    /// <summary>The DICOMweb root.</summary>
    public Uri Root { get; private set; } = null!;

    /// <param name="number">The number of the PACS; PACS of different numbers share no study.</param>
    /// <param name="studies">The number of studies.</param>
    /// <param name="delay">The delay before each answer.</param>
    public static async Task<ScriptedPacs> StartAsync(int number, int studies, TimeSpan delay = default)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var pacs = new ScriptedPacs(new StudyRows(number, studies), delay);
        app.Map("/dicom-web/studies", pacs.AnswerAsync);
        await app.StartAsync();
        pacs.Root = new Uri(app.Urls.Single() + "/dicom-web/");
        return pacs;
    }

    public static Task<ScriptedPacs[]> StartManyAsync(int count, int studies, TimeSpan delay = default) =>
        Task.WhenAll(Enumerable.Range(1, count).Select(number => StartAsync(number, studies, delay)));

    /// <summary>The root of a PACS that is down: nothing listens there.</summary>
    public static Uri FindDeadRoot() => new(Bench.FindFreeRoot(), "dicom-web/");

    /// <summary>The settings of the proxy for these roots.</summary>
    public static IEnumerable<string> SettingsFor(IEnumerable<Uri> roots) =>
        roots.Select((root, i) => $"--Backends:pacs{i + 1}:Address={root}");

    private async Task AnswerAsync(HttpContext context)
    {
        if (_delay > TimeSpan.Zero) await Task.Delay(_delay, TimeProvider.System, context.RequestAborted);
        var query = context.Request.Query;
        var offset = Math.Min(Read("offset") ?? 0, _rows.Count);
        var count = Math.Min(Read("limit")
            ?? int.MaxValue, (query.ContainsKey("PatientID") ? Math.Min(Few, _rows.Count) : _rows.Count) - offset);
        var rows = _rows.Slice(offset, count);
        context.Response.ContentType = "application/dicom+json";
        context.Response.ContentLength = rows.Length + 2;
        await context.Response.Body.WriteAsync("["u8.ToArray());
        await context.Response.Body.WriteAsync(rows);
        await context.Response.Body.WriteAsync("]"u8.ToArray());

        int? Read(string name) => int.TryParse(query[name], NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
    }
}
