using System.Collections.Immutable;
using System.Net;
using Proxy.Cache.InMemory;
using Proxy.Dicom;

namespace Proxy.Prefetch.Planning;

/// <summary>Whom one sits in front of, as far as a request tells: no more than to know his list from another's.</summary>
/// <param name="Root">The root that he uses: he may see what it stands for, and nothing else is fetched for him.</param>
/// <param name="Address">Where he is.</param>
/// <param name="Agent">Of his viewer's name, a hash.</param>
/// <param name="Credential">Of what he shows, a hash.</param>
public sealed record Viewer(string Root, IPAddress? Address, int Agent, int Credential)
{
    public static Viewer Identify(HttpContext context, string root) => new(
        root, context.Connection.RemoteIpAddress, context.Request.Headers.UserAgent.ToString()
            .GetHashCode(StringComparison.Ordinal), context.Request.Headers.Authorization.ToString().GetHashCode(StringComparison.Ordinal));
}

/// <summary>
/// Which work lists viewers were shown of late, and which study of them is open: briefly, and with a small budget of their own: a purge of
/// the cache takes nothing from them.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class WorkLists(TimeProvider time) : IDisposable
{
    /// <summary>The budget, in bytes: some hundred viewers with long lists. The least recently used leaves.</summary>
    private const long MaxBytes = 4 << 20;

    /// <summary>Of one viewer: he searches, opens a study, searches again.</summary>
    private const int Most = 4;

    /// <summary>No longer list is read through.</summary>
    private const int MostStudies = 1000;

    /// <summary>What a viewer's key and the objects around his lists take, in bytes, nearly.</summary>
    private const int KeyBytes = 640;

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(30);

    private readonly Lock _lock = new();
    private readonly MemoryPart _shown = new(MaxBytes, time, static _ => { });

    private sealed record Key(Viewer Viewer);

    /// <param name="Lists">The newest first.</param>
    /// <param name="Open">The study that was opened last.</param>
    private sealed record ListedStudies(ImmutableArray<ImmutableArray<Uid>> Lists, Uid Open)
    {
        public static readonly ListedStudies Nothing = new([], default);
    }

    /// <summary>A viewer was shown a list.</summary>
    public void Add(Viewer viewer, ImmutableArray<Uid> studies)
    {
        if (studies.Length < 2) return;
        var list = studies.Length > MostStudies ? studies[..MostStudies] : studies;
        lock (_lock)
        {
            var shown = Find(viewer);
            // The same list again, as viewers ask for it each time that they come back to it.
            var others = shown.Lists.Where(other => !other.SequenceEqual(list)).Take(Most - 1);
            Keep(viewer, shown with { Lists = [list, .. others] });
        }
    }

    /// <summary>A viewer opens a study. True when it is another one than before.</summary>
    public bool Open(Viewer viewer, Uid study)
    {
        if (Find(viewer).Open == study) return false;
        lock (_lock)
        {
            var shown = Find(viewer);
            if (shown.Open == study) return false;
            Keep(viewer, shown with { Open = study });
            return true;
        }
    }

    /// <summary>Whether it is the study that a viewer opened last.</summary>
    public bool IsOpen(Viewer viewer, Uid study) => Find(viewer).Open == study;

    /// <summary>The newest list of a viewer that has the study; empty when none has.</summary>
    public ImmutableArray<Uid> FindList(Viewer viewer, Uid study) => Find(viewer).Lists.FirstOrDefault(list => list.Contains(study), []);

    public void Dispose() => _shown.Dispose();

    private ListedStudies Find(Viewer viewer) => _shown.Find(new Key(viewer))?.Value as ListedStudies ?? ListedStudies.Nothing;

    private void Keep(Viewer viewer, ListedStudies shown) =>
        _shown.Add(new Key(viewer), new(shown, KeyBytes + shown.Lists.Sum(list => 16L * list.Length), _shown.Now + Lifetime));
}
