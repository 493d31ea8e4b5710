package dev.peekpass.cli.serve;

import dev.peekpass.cli.serve.Response.Body;
import dev.peekpass.cli.serve.Response.Field;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * Chooses the response to a request: what of the site, or why not.
 *
 * @param lists whether directories without an {@code index.html} show what is in them
 * @param name of the backend, in {@code X-Backend}
 * @param tellsWhoami whether {@code /.peekpass/whoami} is answered
 */
record Responder(Site site, boolean lists, String name, boolean tellsWhoami, Clock clock) {
  private static final String INDEX = "index.html";
  private static final List<String> WHOAMI = List.of(".peekpass", "whoami");

  /** The answer, which the caller closes. */
  Response respond(RequestHead head, ClientFacts facts) throws IOException {
    boolean get = head.method().equals("GET");
    if (!get && !head.method().equals("HEAD")) {
      return Response.text(405, "only GET and HEAD", new Field("Allow", "GET, HEAD"));
    }
    Response response =
        switch (RequestPath.of(head.target())) {
          case RequestPath.Outcome.Invalid(String reason) -> Response.text(400, reason);
          case RequestPath.Outcome.Valid(RequestPath path) -> respond(head, path, facts);
        };
    return get ? response : response.withoutBody();
  }

  private Response respond(RequestHead head, RequestPath path, ClientFacts facts)
      throws IOException {
    if (tellsWhoami && !path.endsInSlash() && path.segments().equals(WHOAMI)) {
      return fresh("application/json", Whoami.json(name, facts, head));
    }
    return switch (site.find(path.segments())) {
      case Site.Entry.Absent absent -> Response.text(404, "");
      case Site.Entry.Forbidden forbidden -> Response.text(403, "");
      case Site.Entry.RegularFile file ->
          path.endsInSlash() ? Response.text(404, "") : file(head, file);
      case Site.Entry.Directory(Path directory) ->
          path.endsInSlash() ? directory(head, path, directory) : redirect(path);
    };
  }

  private static Response redirect(RequestPath path) {
    return Response.text(
        301, "", new Field("Location", path.encoded() + "/" + path.query().replace("\\", "%5C")));
  }

  private Response directory(RequestHead head, RequestPath path, Path directory)
      throws IOException {
    List<String> index = new ArrayList<>(path.segments());
    index.add(INDEX);
    return switch (site.find(index)) {
      case Site.Entry.RegularFile file -> file(head, file);
      case Site.Entry.Forbidden forbidden -> Response.text(403, "");
      case Site.Entry.Absent absent -> listing(path, directory);
      case Site.Entry.Directory inner -> listing(path, directory);
    };
  }

  private Response listing(RequestPath path, Path directory) throws IOException {
    if (!lists) {
      return Response.text(403, "this directory is not listed");
    }
    try {
      String title =
          path.segments().isEmpty() ? "/" : "/" + String.join("/", path.segments()) + "/";
      return fresh(
          ContentTypes.of(INDEX),
          DirectoryListing.page(directory, title, path.segments().isEmpty()));
    } catch (AccessDeniedException e) {
      return Response.text(403, "");
    }
  }

  private static Response fresh(String contentType, byte[] bytes) {
    List<Field> fields =
        List.of(new Field("Content-Type", contentType), new Field("Cache-Control", "no-store"));
    return new Response(200, fields, new Body.Bytes(bytes));
  }

  private Response file(RequestHead head, Site.Entry.RegularFile entry) throws IOException {
    FileChannel file;
    try {
      file = FileChannel.open(entry.file(), StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
    } catch (AccessDeniedException e) {
      return Response.text(403, "");
    } catch (NoSuchFileException e) {
      return Response.text(404, "");
    }
    boolean handedOver = false;
    try {
      Response response = file(head, entry, file);
      handedOver = response.body() instanceof Body.Part;
      return response;
    } finally {
      if (!handedOver) {
        file.close();
      }
    }
  }

  // The size is that of the open file: the one looked up may have been replaced since.
  private Response file(RequestHead head, Site.Entry.RegularFile entry, FileChannel file)
      throws IOException {
    long size = file.size();
    Instant now = clock.instant();
    Validators validators = Validators.of(entry.attributes().lastModifiedTime().toInstant(), size);
    List<Field> fields = new ArrayList<>();
    fields.add(new Field("ETag", validators.entityTag()));
    fields.add(new Field("Last-Modified", HttpDate.format(validators.lastModified())));
    fields.add(new Field("Accept-Ranges", "bytes"));
    switch (validators.judge(head, now)) {
      case NOT_MODIFIED -> {
        return new Response(304, fields, new Body.None());
      }
      case FAILED -> {
        return Response.text(412, "");
      }
      case PROCEED -> {}
    }
    // RFC 9110 section 14.2: Range counts for GET alone.
    ByteRange range =
        head.method().equals("GET") && validators.allowsRange(head, now)
            ? head.field("range")
                .map(value -> ByteRange.of(value, size))
                .orElse(new ByteRange.Whole())
            : new ByteRange.Whole();
    String type = ContentTypes.of(entry.file().getFileName().toString());
    fields.add(new Field("Content-Type", type));
    return switch (range) {
      case ByteRange.Whole whole -> new Response(200, fields, new Body.Part(file, 0, size));
      case ByteRange.Part(long from, long length) -> {
        fields.add(
            new Field("Content-Range", "bytes " + from + "-" + (from + length - 1) + "/" + size));
        yield new Response(206, fields, new Body.Part(file, from, length));
      }
      case ByteRange.Unsatisfiable none ->
          Response.text(416, "", new Field("Content-Range", "bytes */" + size));
    };
  }
}
